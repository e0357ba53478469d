// Package lifecycle ends a process in order: phases with budgets out of one grace period, the app as a
// child process, the marker with which an app says that it has written everything out, and the receipt
// that says what was accepted, what became of it and what is left.
//
// It knows nothing of what the phases do. Package agent makes a stop of mail and logs out of it; a
// program of another kind can do the same:
//
//	plan := lifecycle.Plan{Grace: time.Minute, Reserve: 0.1, Phases: []lifecycle.Phase{
//		{Name: "requests", Share: 0.5, Do: server.Shutdown},
//		{Name: "jobs", After: []string{"requests"}, Share: 0.3, Do: jobs.Finish},
//	}}
//	if err := plan.Check(); err != nil { … }   // at the start
//	steps := plan.Run(hurry)                   // at the stop
package lifecycle
