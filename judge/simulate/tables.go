package simulate

import (
	"context"
	"fmt"
	"time"

	"yadokari/setting"
)

// Table says how much of a kind of harm the new side does until it is seen, over many stages.
type Table struct {
	Title string   `json:"title"`
	Heads []string `json:"heads"`
	Rows  []Row    `json:"rows"`
}

// Row is one kind of harm at one share.
type Row struct {
	Harm  string        `json:"harm"`
	Share setting.Share `json:"share"`
	// Cells are in the order of the table's heads after the first two.
	Cells []Range `json:"cells"`
	// Before is what it took when requests were compared instead of users; nil: not known.
	Before *Range `json:"before,omitempty"`
}

// harm is one row of a table, for every share.
type harm struct {
	words  string
	worse  Worse
	alter  func(*Scenario)
	before map[setting.Share]Range
}

// The crowds of the tables.
const (
	thousands = 5000
	fifty     = 50
	atMost    = 400_000 // requests of a stage in which it is not seen
)

// crowd is the scenario of the tables before anything is worse: 80 requests a second, of which one in a thousand fails.
func crowd(users int, share setting.Share) *Scenario {
	var s Scenario
	setting.Defaults(&s)
	s.Share, s.Length, s.Requests = share, 24*time.Hour, atMost
	s.Users = Users{Number: users, Zipf: 0.5, Rate: 80, Session: 5, Think: 5 * time.Second}
	s.Answers.Fails = 0.001
	return &s
}

// Tables prints what it takes, of so many stages a figure. progress hears of each row.
func Tables(ctx context.Context, stages int, seed uint64, progress func(string)) ([]Table, error) {
	shares := []setting.Share{0.01, 0.05, 0.25, 0.5}
	var tables []Table
	for _, t := range []struct {
		title string
		harms []harm
	}{
		{"Failures", failures()},
		{"Latency", latencies()},
		{"Kinds of answers", kindsOfAnswers()},
	} {
		table := Table{Title: t.title, Heads: []string{"new side", "share", "requests, users alone", "users", "requests, with pairs and breaker", "requests of 50 users"}}
		for i := range t.harms {
			for _, share := range shares {
				progress(t.harms[i].words + " at " + share.String())
				row, err := t.harms[i].row(ctx, share, stages, seed)
				if err != nil {
					return nil, err
				}
				table.Rows = append(table.Rows, *row)
			}
		}
		tables = append(tables, table)
	}
	return tables, nil
}

func (h *harm) row(ctx context.Context, share setting.Share, stages int, seed uint64) (*Row, error) {
	row := &Row{Harm: h.words, Share: share}
	if before, ok := h.before[share]; ok {
		row.Before = &before
	}
	alone := crowd(thousands, share)
	alone.Moved, alone.Breaker = 0, 0
	for i, s := range []*Scenario{alone, crowd(thousands, share), crowd(fifty, share)} {
		s.Worse = &h.worse
		s.Worse.Users = 1
		if h.alter != nil {
			h.alter(s)
		}
		r, err := Run(ctx, h.words, NewPlan(s), Options{Stages: stages, Seed: seed})
		if err != nil {
			return nil, err
		}
		row.Cells = append(row.Cells, r.Levels[0].Requests)
		if i == 0 {
			row.Cells = append(row.Cells, r.Levels[0].Users)
		}
	}
	return row, nil
}

func failures() (list []harm) {
	before := map[setting.Share]Range{1: {3, 4}, 0.5: {6, 13}, 0.2: {15, 32}, 0.05: {73, 193}, 0.01: {1036, 2594}}
	for _, part := range []setting.Share{1, 0.5, 0.2, 0.05, 0.01} {
		list = append(list, harm{words: "fails " + part.String(), worse: Worse{Answers: Answers{Fails: part}},
			before: map[setting.Share]Range{0.05: before[part]}})
	}
	return list
}

func latencies() (list []harm) {
	for _, c := range []struct {
		tolerance, slower setting.Growth
		before            Range
	}{
		{0, 0.2, Range{12068, 20243}}, {0, 0.5, Range{1621, 2556}}, {0, 1, Range{512, 802}},
		{0.2, 0.5, Range{7868, 13521}}, {0.2, 1, Range{989, 1397}},
	} {
		list = append(list, harm{
			words: fmt.Sprintf("%.0f%% slower, %.0f%% tolerated", 100*c.slower, 100*c.tolerance),
			worse: Worse{Slower: c.slower},
			alter: func(s *Scenario) {
				s.Tolerate.P95, s.Tolerate.FirstByte = &c.tolerance, nil
				s.Latency.Spread, s.Pages.Latency = 0.824, 0
				if c.tolerance == 0 {
					s.Tolerate.Floor = 0
				}
			},
			before: map[setting.Share]Range{0.25: c.before},
		})
	}
	return list
}

func kindsOfAnswers() (list []harm) {
	for _, k := range []struct {
		words string
		of    func(*Answers) *setting.Share
	}{
		{"401", func(a *Answers) *setting.Share { return &a.Unauthorized }},
		{"403", func(a *Answers) *setting.Share { return &a.Forbidden }},
		{"404", func(a *Answers) *setting.Share { return &a.NotFound }},
		{"a redirect", func(a *Answers) *setting.Share { return &a.Redirects }},
	} {
		for _, part := range []setting.Share{1, 0.2, 0.05, 0.02} {
			h := harm{words: k.words + " to " + part.String(), alter: func(s *Scenario) {
				s.Answers.NotFound, s.Answers.Redirects = 0.01, 0.05
			}}
			*k.of(&h.worse.Answers) = part
			list = append(list, h)
		}
	}
	return list
}
