package keys

import (
	"testing"
	"time"
)

func BenchmarkOpen(b *testing.B) {
	r, now := ring(b, aSecret), time.Now()
	value := r.Seal(NewToken(1, now))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := r.Open(value, now, month); !ok {
			b.Fatal("not believed")
		}
	}
}

func BenchmarkCut(b *testing.B) {
	lines := []string{"theme=dark; yadokari=" + ring(b, aSecret).Seal(NewToken(1, time.Now())) + "; SESSION=5f2b7c1e9a"}
	b.ReportAllocs()
	for b.Loop() {
		Cut(lines, ours)
	}
}
