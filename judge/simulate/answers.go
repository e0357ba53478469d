package simulate

import (
	"yadokari/judge"
	"yadokari/setting"
)

// failed is the kind of an answer that is a failure; the others are what a judge.Class says of them.
const failed judge.Class = 1 << 15

// kind is one kind of answer with how often it is given.
type kind struct {
	class judge.Class
	share setting.Share
}

func (a *Answers) kinds() []kind {
	return []kind{
		{failed, a.Fails},
		{judge.Unauthorized, a.Unauthorized},
		{judge.Forbidden, a.Forbidden},
		{judge.NotFound, a.NotFound},
		{judge.ClientError, a.ClientErrors},
		{judge.Redirect, a.Redirects},
		{judge.Redirect | judge.Login, a.Logins},
		{judge.Redirect | judge.OtherHost, a.OtherHosts},
		{judge.Empty, a.Empty},
		{judge.Form, a.Forms},
	}
}

// mix says which part of a draw from 0 to 1 is which kind of answer; the rest are good ones.
type mix struct {
	all   float64
	kinds []kind
}

func newMix(a *Answers) mix {
	var m mix
	for _, k := range a.kinds() {
		if k.share > 0 {
			m.all += float64(k.share)
			m.kinds = append(m.kinds, k)
		}
	}
	return m
}

// of is the kind for a draw; 0: a good answer.
func (m *mix) of(draw float64) judge.Class {
	if draw >= m.all {
		return 0
	}
	for _, k := range m.kinds {
		if draw -= float64(k.share); draw < 0 {
			return k.class
		}
	}
	return 0
}
