package simulate

import (
	"fmt"
	"strconv"
	"strings"

	"yadokari/setting"
)

// Number is a number from 0 to a million, with decimals where they are needed: 0.8, 50.
type Number float64

// UnmarshalText parses decimal digits. Its error is a *setting.Problem without a path.
func (n *Number) UnmarshalText(text []byte) error {
	written := strings.TrimSpace(string(text))
	x, err := strconv.ParseFloat(written, 64)
	if err != nil || x < 0 || x > 1e6 || strings.Trim(written, "0123456789.") != "" {
		return &setting.Problem{What: fmt.Sprintf("%q is not a number from 0 to 1000000", text), Remedy: "write digits, as in 0.8"}
	}
	*n = Number(x)
	return nil
}
