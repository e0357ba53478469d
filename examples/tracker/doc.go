// Package tracker is a small but real project-management web application: issues, a wiki, a board,
// files, notifications, search, a JSON API, mail and an audit log. It stands for the monolith that
// Yadokari moves: several copies of it, of different builds, serve the same users at the same time
// from one shared data directory (an SQLite database and the uploaded files), as the hosts of a real
// application share their database cluster.
//
// For demonstrations and tests a copy can be told to misbehave (see Fault), at its start and while it runs.
package tracker
