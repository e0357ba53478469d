package shift

import (
	"errors"
	"fmt"
	"strings"

	"yadokari/setting"
)

// MirrorStage is the name of the stage in which users stay on the old side and the new side gets
// copies of safe requests.
const MirrorStage = "mirror"

// Stage is one step of a shift.
type Stage struct {
	// Name is mirror, or the share as it is written: 5%.
	Name string `json:"name"`
	// Share is the part of the users on the new side; 0 in the mirror stage.
	Share setting.Share `json:"share"`
	// Mirror is set in the mirror stage alone.
	Mirror bool `json:"mirror,omitempty"`
}

// stageAt is the stage that a share set by hand amounts to.
func stageAt(share setting.Share) Stage { return Stage{Name: share.String(), Share: share} }

// ParseStages reads the names of stages: mirror first if at all, then growing shares up to 100%.
// Every mistake is a *setting.Problem whose path starts at stages; they are joined.
func ParseStages(names []string) ([]Stage, error) {
	if len(names) == 0 {
		return nil, &setting.Problem{Path: setting.Path{"stages"}, What: "no stage is named",
			Remedy: "name at least one, as in [mirror, 1%, 5%, 25%, 50%, 100%]"}
	}
	var problems []error
	stages := make([]Stage, 0, len(names))
	last := setting.Share(0)
	for i, name := range names {
		stage, problem := parseStage(i, strings.TrimSpace(name), last)
		if problem != nil {
			problem.Path = setting.Path{"stages", i}
			problems = append(problems, problem)
			continue
		}
		last = stage.Share
		stages = append(stages, stage)
	}
	if len(problems) == 0 && last != 1 {
		problems = append(problems, &setting.Problem{Path: setting.Path{"stages", len(names) - 1},
			What: fmt.Sprintf("the last stage is %s", names[len(names)-1]), Remedy: "end with 100%"})
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return stages, nil
}

func parseStage(i int, name string, last setting.Share) (Stage, *setting.Problem) {
	if name == MirrorStage {
		if i > 0 {
			return Stage{}, &setting.Problem{What: "mirror is not the first stage",
				Remedy: "move mirror to the front: it shows problems before any user can meet them"}
		}
		return Stage{Name: MirrorStage, Mirror: true}, nil
	}
	var share setting.Share
	if err := share.UnmarshalText([]byte(name)); err != nil {
		return Stage{}, &setting.Problem{What: fmt.Sprintf("%q is not a stage", name),
			Remedy: "write mirror, or a share with the per cent sign, as in 5%"}
	}
	if share <= last {
		what := fmt.Sprintf("the share %s does not grow: before it comes %s", share, last)
		if share == 0 {
			what = "a stage of 0% moves nobody"
		}
		return Stage{}, &setting.Problem{What: what, Remedy: "list the shares from small to large, each once"}
	}
	return stageAt(share), nil
}

// following is the stage after the one a route is in: the first whose share is larger, so that it is
// found for a share set by hand and after the list of stages was changed. ok is false at the end.
func following(stages []Stage, share setting.Share) (next Stage, ok bool) {
	for _, s := range stages {
		if !s.Mirror && s.Share > share {
			return s, true
		}
	}
	return Stage{}, false
}
