package balance

import (
	"fmt"
	"testing"
)

func BenchmarkPick(b *testing.B) {
	for _, n := range []int{1, 2, 10, 100} {
		b.Run(fmt.Sprintf("servers=%d", n), func(b *testing.B) {
			g, _ := group(b, config(literal(n)...), Options{})
			b.ReportAllocs()
			for b.Loop() {
				s, err := g.Pick()
				if err != nil {
					b.Fatal(err)
				}
				s.Done(Connected)
			}
		})
	}
	b.Run("slow start", func(b *testing.B) {
		cfg := config(literal(10)...)
		cfg.SlowStart = 1 << 60
		g, _ := group(b, cfg, Options{})
		g.Drain(id(1))
		g.Undrain(id(1))
		b.ReportAllocs()
		for b.Loop() {
			s, _ := g.Pick()
			s.Done(Connected)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		g, _ := group(b, config(literal(10)...), Options{})
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				s, _ := g.Pick()
				s.Done(Connected)
			}
		})
	})
}

func TestPickDoesNotAllocate(t *testing.T) {
	g, _ := group(t, config(literal(10)...), Options{})
	if n := testing.AllocsPerRun(1000, func() {
		a, _ := g.Pick()
		b, _ := g.Pick(a)
		b.Connected()
		b.Done(Connected)
		a.Done(Connected)
	}); n != 0 {
		t.Errorf("%v allocations for two picks", n)
	}
}
