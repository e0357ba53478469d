// Package agent runs beside the app: it starts the parts that take something from the app and must hand
// it on (mail and log files), and ends them in order when the app has finished.
//
// It works in three forms, with the same settings. With a command it starts the app itself, as first
// process of a container or below systemd, and stops it. Without one it is a sidecar: others stop the
// app, and the agent waits for proof that it has finished. What each form promises is in
// docs/stopping.md.
package agent
