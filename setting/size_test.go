package setting

import (
	"errors"
	"math"
	"testing"
)

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{
		"0": 0, "0B": 0, "17": 17, "512B": 512, "64KiB": 64 << 10, " 64 MiB ": 64 << 20, "10GiB": 10 << 30,
		"9223372036854775807": math.MaxInt64, "8589934591GiB": 8589934591 << 30,
	} {
		var got Size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: got %d, %v; want %d", text, got, err, want)
		}
	}
}

func TestSizeRefuses(t *testing.T) {
	for _, text := range []string{
		"", "B", "KiB", "-1", "-1B", "+1", "1.5MiB", "1MB", "1kB", "1 K", "1e3", "0x10", "1KiBKiB",
		"9223372036854775808", "8589934592GiB", "18446744073709551617B",
	} {
		got := Size(7)
		err := got.UnmarshalText([]byte(text))
		var p *Problem
		if !errors.As(err, &p) || p.Remedy == "" || got != 7 {
			t.Errorf("%q: got %d, %v; want a problem with a remedy and the value untouched", text, got, err)
		}
	}
}

func TestSizeString(t *testing.T) {
	for size, want := range map[Size]string{
		0: "0B", 1: "1B", 1023: "1023B", 1024: "1KiB", 1025: "1025B", 1 << 20: "1MiB", 3 << 30: "3GiB", 1 << 50: "1048576GiB",
	} {
		if got := size.String(); got != want {
			t.Errorf("%d: got %s, want %s", int64(size), got, want)
		}
	}
}

func FuzzSize(f *testing.F) {
	for _, seed := range []string{"0", "64KiB", "10GiB", "9223372036854775807B", "8589934592GiB", "-1", "1MB", " 7 MiB", "B"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var size, again Size
		if size.UnmarshalText([]byte(text)) != nil {
			return
		}
		if size < 0 {
			t.Fatalf("%q is %d bytes", text, int64(size))
		}
		if err := again.UnmarshalText([]byte(size.String())); err != nil || again != size {
			t.Fatalf("%q is written %s, read back as %d: %v", text, size, int64(again), err)
		}
	})
}
