package setting_test

import (
	"fmt"
	"time"

	"yadokari/setting"
)

func ExampleSize() {
	var s setting.Size
	fmt.Println(s.UnmarshalText([]byte("64MiB")), int64(s), s)
	fmt.Println(s.UnmarshalText([]byte("64MB")))
	// Output:
	// <nil> 67108864 64MiB
	// "64MB" is not a size (write a whole number with B, KiB, MiB or GiB, as in 64MiB)
}

func ExampleShare() {
	var s setting.Share
	fmt.Println(s.UnmarshalText([]byte("0.5%")), float64(s), s)
	fmt.Println(s.UnmarshalText([]byte("5")))
	// Output:
	// <nil> 0.005 0.5%
	// "5" is not a share (write 0% to 100% with the per cent sign, as in 5%)
}

func ExampleDefaults() {
	var cfg struct {
		Hold   time.Duration `yaml:"hold" default:"10m"`
		Stages []string      `yaml:"stages" default:"1%,10%,100%"`
	}
	setting.Defaults(&cfg)
	fmt.Println(cfg.Hold, cfg.Stages)
	// Output: 10m0s [1% 10% 100%]
}

func ExampleProblem() {
	inShift := &setting.Problem{Path: setting.Path{"stages", 2}, What: `"5%" is less than the stage before it`, Remedy: "shares grow"}
	fmt.Println(inShift.Under("routes", 0, "shift"))
	// Output: routes[0].shift.stages[2]: "5%" is less than the stage before it (shares grow)
}
