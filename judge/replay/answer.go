package replay

import (
	"bytes"

	"yadokari/judge"
)

// clientGone is what NGINX logs when the user went away.
const clientGone = 499

// answer is what a line says of its request, as far as a log tells: not where a redirect leads.
func (l *Line) answer() judge.Answer {
	a := judge.Answer{First: -1, Last: -1, Size: -1}
	if l.Status >= 500 {
		a.Failed = true
		return a
	}
	if l.Took >= 0 {
		a.Last = int16(judge.Bucket(l.Took))
	}
	a.Class = l.class()
	if l.Status == 200 && l.gets() && l.Bytes > 0 && l.isPage() {
		a.Size = l.Bytes
	}
	return a
}

func (l *Line) class() judge.Class {
	switch s := l.Status; {
	case s == 401:
		return judge.Unauthorized
	case s == 403:
		return judge.Forbidden
	case s == 404, s == 410:
		return judge.NotFound
	case s == clientGone:
		return judge.Left
	case s >= 400:
		return judge.ClientError
	case s >= 300 && s != 304:
		return judge.Redirect
	case s >= 200 && s < 300 && l.changes():
		return judge.Form
	case s == 200 && l.gets() && l.Bytes == 0:
		return judge.Empty
	}
	return 0
}

func (l *Line) gets() bool { return string(l.Method) == "GET" }

func (l *Line) changes() bool {
	switch string(l.Method) {
	case "POST", "PUT", "DELETE", "PATCH":
		return true
	}
	return false
}

// isPage reports whether the path looks like one of a page or of JSON: its end has no other suffix.
func (l *Line) isPage() bool {
	path, _, _ := bytes.Cut(l.Path, []byte("?"))
	name := path[bytes.LastIndexByte(path, '/')+1:]
	dot := bytes.LastIndexByte(name, '.')
	if dot < 0 {
		return true
	}
	switch string(name[dot:]) {
	case ".html", ".htm", ".php", ".json", ".jsp", ".asp", ".aspx", ".do":
		return true
	}
	return false
}
