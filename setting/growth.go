package setting

import (
	"fmt"
	"strconv"
	"strings"
)

// Growth is by how much more a thing may be than another, from 0 on without a bound below 10,000 %,
// written in per cent: 20%, 150%.
type Growth float64

// UnmarshalText parses 0% to 10000%, in decimal digits, with the per cent sign. Its error is a *Problem
// without a path.
func (g *Growth) UnmarshalText(text []byte) error {
	number, ok := strings.CutSuffix(strings.TrimSpace(string(text)), "%")
	number = strings.TrimSpace(number)
	percent, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || percent < 0 || percent > 10000 || strings.Trim(number, "0123456789.") != "" {
		return &Problem{
			What:   fmt.Sprintf("%q does not say how much more", text),
			Remedy: "write 0% to 10000% with the per cent sign, as in 20% or 150%",
		}
	}
	*g = Growth(percent / 100)
	return nil
}

// MarshalText writes the growth in per cent.
func (g Growth) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// String is the growth in per cent, without needless digits.
func (g Growth) String() string { return Share(g).String() }
