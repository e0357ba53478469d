package mirror

import "sync/atomic"

// Stats are a Mirror's counts since it was made. They add up: Chosen = Skipped + Unfit + Copied, and
// Copied = Compared + Failed + Unmatched + Aborted + UnderWay once no copy is changing state and no request
// that has its copy's place is under way.
type Stats struct {
	Spared     uint64 `json:"spared"`     // not copied because mirror.skip or what is known of such requests says so
	Chosen     uint64 `json:"chosen"`     // requests offered, or wanted but for a free place
	Skipped    uint64 `json:"skipped"`    // not copied because all places were taken
	Unfit      uint64 `json:"unfit"`      // not copied because the answer to the user compares with nothing
	Copied     uint64 `json:"copied"`     // sent to the other side
	Failed     uint64 `json:"failed"`     // copies without an answer
	Unmatched  uint64 `json:"unmatched"`  // copies with nothing to compare: the old side has failed the request, nobody was there to ask, or its turn came late
	Aborted    uint64 `json:"aborted"`    // copies ended by Close, or by a mistake of ours that is in the log
	Compared   uint64 `json:"compared"`   // copies whose answer was compared
	Different  uint64 `json:"different"`  // comparisons with a difference that is not noise
	Noisy      uint64 `json:"noisy"`      // comparisons that differed in noise only
	Opaque     uint64 `json:"opaque"`     // comparisons without the body, whose coding is unknown
	Asked      uint64 `json:"asked"`      // second requests to the old side
	Unanswered uint64 `json:"unanswered"` // of them, those that gave nothing to compare with
	UnderWay   int64  `json:"underWay"`   // copies, and places for them, at this moment: of four times Config.Concurrency at most
}

type counts struct {
	chosen, skipped, unfit, copied, failed, aborted       atomic.Uint64
	unmatched, spared                                     atomic.Uint64
	compared, different, noisy, opaque, asked, unanswered atomic.Uint64
}

// Stats returns the counts.
func (m *Mirror) Stats() Stats {
	c := &m.counts
	return Stats{
		Spared: c.spared.Load(), Chosen: c.chosen.Load(), Skipped: c.skipped.Load(), Unfit: c.unfit.Load(), Copied: c.copied.Load(),
		Failed: c.failed.Load(), Unmatched: c.unmatched.Load(), Aborted: c.aborted.Load(), Compared: c.compared.Load(),
		Different: c.different.Load(), Noisy: c.noisy.Load(), Opaque: c.opaque.Load(),
		Asked: c.asked.Load(), Unanswered: c.unanswered.Load(), UnderWay: m.underWay.Load(),
	}
}
