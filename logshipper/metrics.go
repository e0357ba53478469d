package logshipper

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// collector reads the counts when metrics are asked for.
type collector struct{ s *Shipper }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("yadokari_logs_"+name, help, append([]string{"path", "output"}, labels...), nil)
}

var (
	descLines      = desc("lines_total", "Lines by what became of them.", "what")
	descBytes      = desc("bytes_total", "Bytes of the files by what became of them.", "what")
	descTruncated  = desc("truncated_total", "Files that were truncated or removed before they were read.")
	descSplit      = desc("split_total", "Lines longer than the limit.")
	descBatches    = desc("batches_total", "Deliveries.")
	descRetries    = desc("retries_total", "Attempts to deliver that failed.")
	descFiles      = desc("files", "Files that are shipped.")
	descUnopened   = desc("unopened_files", "Files that cannot be opened or read: nothing more of them is shipped.")
	descBacklog    = desc("backlog_bytes", "Bytes that are not acknowledged.")
	descOldest     = desc("backlog_oldest_seconds", "Age of the oldest line that is not acknowledged; 0: there is none.")
	allDescription = []*prometheus.Desc{
		descLines, descBytes, descTruncated, descSplit, descBatches, descRetries, descFiles, descUnopened, descBacklog, descOldest,
	}
)

// Describe implements prometheus.Collector.
func (collector) Describe(c chan<- *prometheus.Desc) {
	for _, d := range allDescription {
		c <- d
	}
}

// Collect implements prometheus.Collector.
func (m collector) Collect(c chan<- prometheus.Metric) {
	for _, p := range m.s.pipes {
		p.collectMetrics(c)
	}
}

func (p *pipe) collectMetrics(c chan<- prometheus.Metric) {
	path, output := p.config.Path, p.output.key()
	send := func(d *prometheus.Desc, kind prometheus.ValueType, n float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, kind, n, append([]string{path, output}, labels...)...)
	}
	n := p.count()
	for d, amounts := range map[*prometheus.Desc]map[string]int64{
		descLines: {"read": n.Read.Lines, "delivered": n.Delivered.Lines},
		descBytes: {
			"found": n.Found, "read": n.Read.Bytes, "delivered": n.Delivered.Bytes, "unreadable": n.Unreadable, "left_over": n.LeftOver,
		},
	} {
		for what, amount := range amounts {
			send(d, prometheus.CounterValue, float64(amount), what)
		}
	}
	send(descTruncated, prometheus.CounterValue, float64(n.Truncated))
	send(descSplit, prometheus.CounterValue, float64(n.Split))
	send(descBatches, prometheus.CounterValue, float64(n.Batches))
	send(descRetries, prometheus.CounterValue, float64(n.Retries))
	send(descBacklog, prometheus.GaugeValue, float64(n.Waiting))
	files, unopened, oldest := p.oldest()
	send(descUnopened, prometheus.GaugeValue, float64(unopened))
	send(descFiles, prometheus.GaugeValue, float64(files))
	send(descOldest, prometheus.GaugeValue, oldest.Seconds())
}

// oldest is how many files there are, how many cannot be opened, and the age of the oldest line that is not
// acknowledged.
func (p *pipe) oldest() (files, unopened int, age time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	unopened = len(p.unopened)
	for _, f := range p.files.list {
		if f.trouble != nil {
			unopened++
		}
		if since := f.since(); !since.IsZero() {
			age = max(age, time.Since(since))
		}
	}
	return len(p.files.list), unopened, age
}
