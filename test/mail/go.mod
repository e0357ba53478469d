module yadokari/test/mail

go 1.26.0

require yadokari v0.0.0

require (
	github.com/coreos/go-systemd/v22 v22.7.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace yadokari => ../..
