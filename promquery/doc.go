// Package promquery asks a Prometheus server, or what speaks its HTTP API (Thanos, Mimir, VictoriaMetrics,
// Loki), for one figure at a time.
package promquery
