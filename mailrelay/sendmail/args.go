package sendmail

import (
	"errors"
	"fmt"
	"strings"
)

// mode is what sendmail is asked to do.
type mode int

const (
	deliver   mode = iota // -bm: take one mail
	speakSMTP             // -bs: speak SMTP on standard input and output
	showQueue             // -bp
)

// order is the command line, understood.
type order struct {
	mode       mode
	from       string // -f, -r
	fromGiven  bool
	fullName   string // -F
	fromHeader bool   // -t: recipients stand in the header
	dots       bool   // -i, -oi: a line with a single dot does not end the mail
	recipients []string
}

// options that take a value, of those that are known.
const valued = "fFrBCDdhLNORVXopqbeGAM"

// parseArgs understands the options that programs use, and passes over those that only make sense for a
// mail server. An unknown option is an error: who misspells -t must not send to nobody.
func parseArgs(args []string) (o order, err error) {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if arg == "--" {
			o.recipients = append(o.recipients, args...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			o.recipients = append(o.recipients, arg)
			continue
		}
		if args, err = o.flags(arg[1:], args); err != nil {
			return order{}, err
		}
	}
	return o, nil
}

// flags understands one argument of one or more options, such as -ti or -fa@b. It returns the
// arguments that follow.
func (o *order) flags(letters string, args []string) ([]string, error) {
	for letters != "" {
		letter := letters[0]
		letters = letters[1:]
		if strings.IndexByte(valued, letter) < 0 {
			if err := o.plain(letter); err != nil {
				return nil, err
			}
			continue
		}
		if letters == "" && needsValue(letter) {
			if len(args) == 0 {
				return nil, fmt.Errorf("option -%c needs a value", letter)
			}
			letters, args = args[0], args[1:]
		}
		return args, o.valued(letter, letters)
	}
	return args, nil
}

// needsValue tells whether the value may be the next argument.
func needsValue(letter byte) bool { return strings.IndexByte("fFrBCDhLNORVXopbM", letter) >= 0 }

func (o *order) plain(letter byte) error {
	switch letter {
	case 't':
		o.fromHeader = true
	case 'i':
		o.dots = true
	case 'm', 'n', 'U', 'v', 'x', 's': // of no meaning here
	default:
		return fmt.Errorf("option -%c is not known", letter)
	}
	return nil
}

func (o *order) valued(letter byte, value string) error {
	switch letter {
	case 'f', 'r':
		o.from, o.fromGiven = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(value), "<"), ">"), true
	case 'F':
		o.fullName = value
	case 'o':
		o.dots = o.dots || value == "i" || strings.EqualFold(strings.ReplaceAll(value, " ", ""), "IgnoreDots=true")
	case 'O':
		o.dots = o.dots || strings.EqualFold(value, "IgnoreDots=true")
	case 'b':
		switch value {
		case "m":
			o.mode = deliver
		case "s":
			o.mode = speakSMTP
		case "p":
			o.mode = showQueue
		default:
			return fmt.Errorf("mode -b%s is not offered: use the relay itself", value)
		}
	case 'q', 'C', 'A', 'D', 'd', 'X':
		if letter == 'q' || letter == 'C' {
			return errors.New("option -" + string(letter) + " is not offered: use yadokari mail flush, and yadokari.yaml")
		}
	}
	return nil // -B -h -L -N -R -V -p -e -G -M: of no meaning here
}
