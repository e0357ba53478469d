package median

import "testing"

func TestOf(t *testing.T) {
	for want, samples := range map[float64][]float64{7: {7}, 5: {9, 1, 5}, 4: {4, 1}, 3: {9, 3, 1, 2}} {
		before := append([]float64{}, samples...)
		if got := Of(samples, func(f float64) float64 { return f }); got != want {
			t.Errorf("of %v: %v, want %v", samples, got, want)
		}
		for i := range before {
			if before[i] != samples[i] {
				t.Errorf("the samples %v are now %v", before, samples)
			}
		}
	}
}
