package browse

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"yadokari/examples/tracker"
)

// maxComments bounds what one user says and remembers.
const maxComments = 100_000

// Writes compares what users were told about their comments with what is stored.
type Writes struct {
	Sent   int64 // comments sent, whatever was answered
	Stored int64 // of these, how many users were told are stored
	Found  int64 // different comments found
	// Lost were said to be stored and are not there: must be zero.
	Lost int64
	// Doubled were sent once and are there more than once: must be zero.
	Doubled int64
	// Unsure failed for the user but are there: the answer was lost, not the comment.
	Unsure int64
}

// marker is the text of a user's nth comment.
func (l *Load) marker(user, n int) string { return fmt.Sprintf("browse.%s.%d.%d", l.run, user, n) }

// Check reads all comments of a load that has ended from the tracker at trackerURL, for example one
// copy itself, and compares.
func (l *Load) Check(ctx context.Context, trackerURL string) (Writes, error) {
	<-l.done
	seen := make([]map[int]int, len(l.users))
	err := l.stored(ctx, strings.TrimSuffix(trackerURL, "/"), func(user, n int) {
		if user >= len(seen) {
			return
		}
		if seen[user] == nil {
			seen[user] = map[int]int{}
		}
		seen[user][n]++
	})
	if err != nil {
		return Writes{}, fmt.Errorf("check: %w", err)
	}
	var w Writes
	for i, u := range l.users {
		w.compare(u.comments, seen[i])
	}
	return w, nil
}

func (w *Writes) compare(told []bool, seen map[int]int) {
	w.Sent += int64(len(told))
	w.Found += int64(len(seen))
	for n, stored := range told {
		times := seen[n]
		switch {
		case stored && times == 0:
			w.Lost++
		case !stored && times > 0:
			w.Unsure++
		}
		if stored {
			w.Stored++
		}
		if times > 1 {
			w.Doubled++
		}
	}
}

// stored calls each for every comment of this load that the tracker has.
func (l *Load) stored(ctx context.Context, trackerURL string, each func(user, n int)) error {
	prefix := "browse." + l.run + "."
	var after int64
	for {
		comments, err := readComments(ctx, l.config.Transport, trackerURL, prefix, after)
		if err != nil || len(comments) == 0 {
			return err
		}
		for _, c := range comments {
			after = c.ID
			userText, nText, _ := strings.Cut(strings.TrimPrefix(c.Body, prefix), ".")
			user, err1 := strconv.Atoi(userText)
			n, err2 := strconv.Atoi(nText)
			if err1 != nil || err2 != nil || user < 0 {
				return fmt.Errorf("the comment %q is none of ours", c.Body)
			}
			each(user, n)
		}
	}
}

func readComments(ctx context.Context, transport http.RoundTripper, trackerURL, prefix string, after int64) ([]tracker.Comment, error) {
	query := url.Values{"prefix": {prefix}, "after": {strconv.FormatInt(after, 10)}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, trackerURL+"/api/comments?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	response, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET /api/comments: %s", response.Status)
	}
	var answer struct{ Comments []tracker.Comment }
	err = json.NewDecoder(response.Body).Decode(&answer)
	return answer.Comments, err
}
