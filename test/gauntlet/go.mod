module yadokari/test/gauntlet

go 1.26.0

require (
	golang.org/x/net v0.62.0
	yadokari v0.0.0
)

replace yadokari => ../..
