package tracker

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// seedTime is when the first pages were written: a constant, so that every new tracker is the same.
var seedTime = time.Date(2011, time.April, 1, 9, 0, 0, 0, time.UTC)

// seedPages are the wiki pages that a new tracker has.
var seedPages = [...]struct{ name, body string }{
	{"Home", "Welcome to the tracker of the **Harbour** team.\n\n- [[Guide|How we work]]\n- [[Releases]]\n- [[OnCall|Who is on call]]\n"},
	{"Guide", "# How we work\n\nWrite an **issue** first. Move it on the board when its state changes.\n\n## Reviews\n\n- small changes\n- one reviewer\n\n    git commit -m \"Say why\"\n\nBack to [[Home]].\n"},
	{"Releases", "# Releases\n\nEvery second Tuesday. See [[Checklist]].\n"},
	{"Checklist", "# Checklist\n\n- notes written\n- database migrated\n- `warm-up` done\n- [[OnCall]] told\n"},
	{"OnCall", "# Who is on call\n\nThe one whose name is on the door.\n"},
	{"Meetings", "# Meetings\n\nMondays at ten, standing.\n"},
}

// seedIssues is how many issues a new tracker has.
const seedIssues = 40

// seed fills a new database.
func seed(ctx context.Context, tx *sql.Tx) error {
	for _, p := range seedPages {
		v := Revision{Page: p.name, Body: p.body, Author: "tracker", Created: seedTime}
		if _, err := insertRevision(ctx, tx, v, 0); err != nil {
			return err
		}
	}
	for n := range seedIssues {
		i := Issue{
			Title:  fmt.Sprintf("%s %s", seedVerbs[n%len(seedVerbs)], seedThings[n%len(seedThings)]),
			Body:   "Noticed by a customer. Steps and logs are in the wiki.",
			State:  issueStates[n%len(issueStates)],
			Author: "tracker",
		}
		if _, err := insertIssue(ctx, tx, i, seedTime.Add(time.Duration(n)*time.Hour)); err != nil {
			return err
		}
	}
	return nil
}

var (
	seedVerbs  = [...]string{"Speed up", "Explain", "Repair", "Simplify", "Test"}
	seedThings = [...]string{"the login page", "search", "file upload", "mail to watchers", "the board", "page history", "the audit log"}
)
