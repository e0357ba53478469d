package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
)

// MaxBody is the longest request body in bytes.
const MaxBody = 64 << 10

// Error is why a call was refused or failed, as the API tells it:
//
//	{"error": {"code": "unknown-route", "message": "there is no route \"wkii\"", "remedy": "did you mean wiki?"}}
type Error struct {
	Status  int    `json:"-"`                // the HTTP status
	Code    string `json:"code"`             // for programs: lower case words joined by -, never changed
	Message string `json:"message"`          // for people: what is wrong
	Remedy  string `json:"remedy,omitempty"` // for people: what to do about it
}

// Error is the message with the remedy, on one line.
func (e *Error) Error() string {
	if e.Remedy == "" {
		return e.Message
	}
	return e.Message + " (" + e.Remedy + ")"
}

// WriteJSON answers with v as JSON.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	if list, ok := v.(List); ok {
		writeList(w, status, list)
		return
	}
	text, err := json.Marshal(v)
	if err != nil {
		WriteError(w, fmt.Errorf("answer: %w", err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // a client that is gone is not told so
}

func writeList(w http.ResponseWriter, status int, list List) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := list.write(w); err != nil {
		panic(http.ErrAbortHandler) // half an answer must not look whole
	}
	_, _ = io.WriteString(w, "\n")
}

// WriteError answers with err: an *Error as it is, anything else as an internal error.
func WriteError(w http.ResponseWriter, err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Status: http.StatusInternalServerError, Code: "internal", Message: err.Error()}
	}
	if e.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="yadokari"`)
	}
	WriteJSON(w, e.Status, struct {
		Error *Error `json:"error"`
	}{e})
}

// ReadJSON reads the request's body into v. Fields that v does not have, a second value, another
// content type and more than MaxBody bytes are refused with an *Error.
func ReadJSON(r *http.Request, v any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return &Error{http.StatusUnsupportedMediaType, "not-json", "the body is not declared as JSON", "send Content-Type: application/json"}
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err == nil {
			err = errors.New("more than one value")
		}
	}
	if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
		return &Error{http.StatusRequestEntityTooLarge, "too-long", fmt.Sprintf("the body is longer than %d bytes", tooLong.Limit), ""}
	}
	return &Error{http.StatusBadRequest, "bad-json", "the body cannot be read: " + err.Error(), ""}
}

// JSON is a handler that answers with what f returns: a value as JSON with status 200, nil with 204,
// an error as WriteError does. It is the one way in which the API answers.
func JSON(f func(r *http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := f(r)
		switch {
		case err != nil:
			WriteError(w, err)
		case v == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			WriteJSON(w, http.StatusOK, v)
		}
	})
}
