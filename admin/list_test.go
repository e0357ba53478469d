package admin

import (
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// manyBytes is a list of which no piece ends where the buffer does.
func manyBytes() []string {
	var all []string
	for n := range 300 {
		all = append(all, strings.Repeat("é\n", n))
	}
	return all
}

func TestListIsWrittenAsItsSliceWouldBe(t *testing.T) {
	for _, want := range [][]string{{}, {"one"}, {"one", "two\nlines"}, manyBytes()} {
		w := httptest.NewRecorder()
		WriteJSON(w, http.StatusAccepted, ListOf(slices.Values(want)))
		text, _ := json.Marshal(want)
		if w.Code != http.StatusAccepted || w.Body.String() != string(text)+"\n" || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%d elements: %d %s", len(want), w.Code, w.Body)
		}
	}
}

func TestListThatFailsIsNotTakenForWhole(t *testing.T) {
	s := httptest.NewServer(JSON(func(*http.Request) (any, error) {
		return ListOf(slices.Values([]float64{1, math.NaN()})), nil
	}))
	defer s.Close()
	response, err := http.Get(s.URL)
	if err != nil {
		return // nothing came at all: that, too, cannot be taken for an answer
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err == nil {
		t.Errorf("the answer ended well: %s", body)
	}
}

func TestListIsOneEvent(t *testing.T) {
	want := manyBytes()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stream, err := Stream(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		defer stream.Close()
		if err := stream.Send("7", "all", ListOf(slices.Values(want))); err != nil {
			t.Error(err)
		}
		if err := stream.Send("8", "last", 1); err != nil {
			t.Error(err)
		}
	}))
	defer s.Close()
	response, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	events := strings.Split(string(text), "\n\n")
	if len(events) != 4 || events[2] != "id: 8\nevent: last\ndata: 1" {
		t.Fatalf("%d events, the third is %q", len(events), events[2])
	}
	data, found := strings.CutPrefix(events[1], "id: 7\nevent: all\ndata: ")
	var got []string
	if err := json.Unmarshal([]byte(data), &got); !found || err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("the list came as %.80q, %v", events[1], err)
	}
}
