package browse

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// Activity is one kind of thing that users do. Results are counted by it.
type Activity string

// The activities.
const (
	Wiki     Activity = "wiki"      // GET a page, its history, its text, or the index
	WikiEdit Activity = "wiki-edit" // POST the edit form of the user's own page, and read it back
	WikiPut  Activity = "wiki-put"  // PUT the user's own page: a write that may be sent again
	Issues   Activity = "issues"    // GET the list or an issue
	Comment  Activity = "comment"   // POST a comment
	Board    Activity = "board"     // GET the board
	Move     Activity = "move"      // POST a card to another column
	Search   Activity = "search"    // GET a search
	API      Activity = "api"       // GET issues as JSON
	Static   Activity = "static"    // GET a style sheet, with its entity tag the second time
	Upload   Activity = "upload"    // POST a file
	Download Activity = "download"  // GET the file back and compare
	// Login and Socket are not chosen by weight: each user logs in when it has no session, and
	// Config.Sockets says who listens.
	Login  Activity = "login"
	Socket Activity = "socket"
)

// DefaultMix is mostly reading.
func DefaultMix() map[Activity]int {
	return map[Activity]int{
		Wiki: 30, Issues: 25, Board: 15, API: 8, Static: 8, Search: 4,
		Comment: 4, WikiEdit: 2, WikiPut: 1, Move: 2, Upload: 1,
	}
}

type weight struct {
	activity Activity
	upTo     int
}

// doing is how each activity that can be chosen is done.
func doing(a Activity) func(*user, *visit) {
	switch a {
	case Wiki:
		return (*user).readWiki
	case WikiEdit:
		return (*user).editWiki
	case WikiPut:
		return (*user).putWiki
	case Issues:
		return (*user).readIssues
	case Comment:
		return (*user).comment
	case Board:
		return (*user).readBoard
	case Move:
		return (*user).move
	case Search:
		return (*user).search
	case API:
		return (*user).readAPI
	case Static:
		return (*user).readStatic
	case Upload:
		return (*user).upload
	}
	return nil
}

// weigh orders a mix, so that the same seed makes the same choices.
func weigh(mix map[Activity]int) ([]weight, error) {
	var weights []weight
	sum := 0
	for a, w := range mix {
		if w < 0 || doing(a) == nil {
			return nil, fmt.Errorf("browse: activity %q with weight %d cannot be part of a mix", a, w)
		}
		if w > 0 {
			weights = append(weights, weight{a, w})
		}
	}
	slices.SortFunc(weights, func(a, b weight) int { return compareText(a.activity, b.activity) })
	for i := range weights {
		sum += weights[i].upTo
		weights[i].upTo = sum
	}
	if sum == 0 {
		return nil, fmt.Errorf("browse: the mix is empty")
	}
	return weights, nil
}

func compareText(a, b Activity) int {
	if a < b {
		return -1
	}
	return 1
}

func choose(weights []weight, r *rand.Rand) Activity {
	n := r.IntN(weights[len(weights)-1].upTo)
	for _, w := range weights {
		if n < w.upTo {
			return w.activity
		}
	}
	return weights[0].activity // not reached: n is below the last bound
}
