package lifecycle_test

import (
	"context"
	"fmt"
	"time"

	"yadokari/lifecycle"
)

// A program of any kind stops in order: users first, then what they have left to do.
func ExamplePlan() {
	plan := lifecycle.Plan{Grace: time.Minute, Reserve: 0.1, Phases: []lifecycle.Phase{
		{Name: "jobs", After: []string{"requests"}, Share: 0.3, Do: func(context.Context) error { return nil }},
		{Name: "requests", Share: 0.5, Do: func(context.Context) error { return nil }},
	}}
	if err := plan.Check(); err != nil { // when it starts
		fmt.Println(err)
		return
	}
	for _, step := range plan.Run(context.Background()) { // when it stops
		fmt.Println(step.Phase, step.Outcome)
	}
	// Output:
	// requests done
	// jobs done
}

// A stop that does not fit into its pod is known when the program starts.
func ExamplePlan_Check() {
	plan := lifecycle.Plan{Grace: time.Minute, Pod: time.Minute}
	fmt.Println(plan.Check())
	// Output:
	// the stop does not fit into the pod: grace 1m0s + 2s before the kubelet kills = 1m2s, but terminationGracePeriodSeconds is 60: make it 62, or the grace period 58s
}
