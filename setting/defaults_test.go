package setting

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

type inner struct {
	Idle time.Duration `yaml:"idle" default:"1h30m"`
	None string        `yaml:"none"`
}

type outer struct {
	Text    string        `default:"stdout"`
	On      bool          `default:"true"`
	Count   int           `default:"-3"`
	Hold    time.Duration `default:"200ms"`
	Room    Size          `default:"64KiB"`
	Part    Share         `default:"0.1%"`
	Maybe   *Share        `default:"20%"`
	Unset   *Share
	Names   []string `default:"mirror, 1%,5%"`
	Parts   []Share  `default:"1%,2%"`
	Inline  inner    `yaml:",inline"`
	Section inner    `yaml:"section"`
	Absent  *inner
	Many    map[string]inner
	hidden  int
}

func TestDefaults(t *testing.T) {
	twenty := Share(0.2)
	want := outer{
		Text: "stdout", On: true, Count: -3, Hold: 200 * time.Millisecond, Room: 64 << 10, Part: 0.001, Maybe: &twenty,
		Names: []string{"mirror", "1%", "5%"}, Parts: []Share{0.01, 0.02},
		Inline: inner{Idle: 90 * time.Minute}, Section: inner{Idle: 90 * time.Minute},
	}
	var got outer
	Defaults(&got)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got.hidden != 0 {
		t.Error("an unexported field was set")
	}
}

func TestDefaultsAreNotShared(t *testing.T) {
	var one, two outer
	Defaults(&one)
	Defaults(&two)
	one.Names[0], *one.Maybe = "changed", 1
	if two.Names[0] != "mirror" || *two.Maybe != 0.2 {
		t.Error("changing one config's default changed another's")
	}
}

func TestDefaultsPanicsOnMistakesOfTheProgram(t *testing.T) {
	for name, cfg := range map[string]any{
		"not a pointer": outer{},
		"not a struct":  new(int),
		"bad default of field D": &struct {
			D time.Duration `default:"10 parsecs"`
		}{},
		"bad default of list": &struct {
			L []Size `default:"1KiB,x"`
		}{},
		"no notation for a map": &struct {
			M map[string]string `default:"a"`
		}{},
		"too large for its field": &struct {
			I int8 `default:"200"`
		}{},
		"bad boolean": &struct {
			B bool `default:"yes"`
		}{},
		"bad pointer": &struct {
			P *Share `default:"5"`
		}{},
	} {
		func() {
			defer func() {
				if text, _ := recover().(string); !strings.HasPrefix(text, "setting: ") {
					t.Errorf("%s: recovered %q", name, text)
				}
			}()
			Defaults(cfg)
		}()
	}
}
