package setting

import (
	"fmt"
	"strconv"
	"strings"
)

// Share is a part of a whole, 0 to 1, written in per cent: 5%, 0.1%, 100%.
type Share float64

// UnmarshalText parses 0% to 100%, in decimal digits. The per cent sign is demanded: a bare 1 could
// mean either end. Its error is a *Problem without a path.
func (s *Share) UnmarshalText(text []byte) error {
	number, ok := strings.CutSuffix(strings.TrimSpace(string(text)), "%")
	number = strings.TrimSpace(number)
	percent, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || percent < 0 || percent > 100 || strings.Trim(number, "0123456789.") != "" {
		return &Problem{
			What:   fmt.Sprintf("%q is not a share", text),
			Remedy: "write 0% to 100% with the per cent sign, as in 5%",
		}
	}
	*s = Share(percent / 100)
	return nil
}

// MarshalText writes the share in per cent.
func (s Share) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String is the share in per cent, without needless digits.
func (s Share) String() string {
	text := strconv.FormatFloat(float64(s)*100, 'f', 10, 64)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".") + "%"
}
