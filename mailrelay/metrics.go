package mailrelay

import "github.com/prometheus/client_golang/prometheus"

// collector reads the counts when metrics are asked for, so that a delivery need not touch any.
type collector struct{ r *Relay }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("yadokari_mail_"+name, help, labels, nil)
}

var (
	descMails       = desc("mails_total", "Mails by what became of them.", "what")
	descRecipients  = desc("recipients_total", "Recipients by what became of them.", "what")
	descRefused     = desc("refused_total", "Mails that the client was told to keep, for now (4xx) or for good (5xx).", "for")
	descUncertain   = desc("uncertain_total", "Deliveries that may happen twice.")
	descMessages    = desc("queue_messages", "Mails in the queue.")
	descMostMails   = desc("queue_limit_messages", "The most mails the queue may hold.")
	descBytes       = desc("queue_bytes", "Bytes in the queue.")
	descMostBytes   = desc("queue_limit_bytes", "The most bytes the queue may hold.")
	descDisk        = desc("spool_disk_bytes", "Bytes the spool's files take.")
	descOldest      = desc("queue_oldest_seconds", "Age of the oldest mail in the queue; 0: it is empty.")
	descConnections = desc("upstream_connections", "Open connections to the mail server.", "address")
	descLatency     = desc("upstream_latency_seconds", "How long the mail server takes for a mail, smoothed.", "address")
	descFailures    = desc("upstream_failures", "Failures to reach the mail server in a row; 0: it is up.", "address")
)

// Describe implements prometheus.Collector.
func (collector) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descMails, descRecipients, descRefused, descUncertain, descMessages, descMostMails, descBytes, descMostBytes,
		descDisk, descOldest, descConnections, descLatency, descFailures,
	} {
		c <- d
	}
}

// Collect implements prometheus.Collector.
func (m collector) Collect(c chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, n int64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	gauge := func(d *prometheus.Desc, n float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, n, labels...)
	}
	n := m.r.Counts()
	for d, t := range map[*prometheus.Desc]Tally{descMails: n.Mails, descRecipients: n.Recipients} {
		for what, count := range map[string]int64{
			"accepted": t.Accepted, "injected": t.Injected, "recovered": t.Recovered, "notices": t.Notices,
			"delivered": t.Delivered, "bounced": t.Bounced, "dropped": t.Dropped, "removed": t.Removed,
			"damaged": t.Damaged, "left_over": t.LeftOver,
		} {
			counter(d, count, what)
		}
	}
	counter(descRefused, n.RefusedForNow, "now")
	counter(descRefused, n.RefusedForGood, "good")
	counter(descUncertain, n.Uncertain)
	gauge(descMessages, float64(n.Messages))
	gauge(descMostMails, float64(m.r.config.Queue.Messages))
	gauge(descBytes, float64(n.Bytes))
	gauge(descMostBytes, float64(m.r.config.Queue.Bytes))
	gauge(descOldest, m.r.queue.oldestAge().Seconds())
	if m.r.spool != nil {
		_, disk := m.r.spool.Bytes()
		gauge(descDisk, float64(disk))
	}
	for _, s := range m.r.pool.Status() {
		gauge(descConnections, float64(s.Connections), s.Address)
		gauge(descLatency, s.Latency, s.Address)
		gauge(descFailures, float64(s.Failures), s.Address)
	}
}
