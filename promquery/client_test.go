package promquery

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yadokari/setting"
)

// serve is a client of a server that answers so.
func serve(t *testing.T, answer http.HandlerFunc, settings ...func(*Config)) *Client {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	c := Config{URL: s.URL + "/prefix"}
	setting.Defaults(&c)
	for _, set := range settings {
		set(&c)
	}
	var client Client
	if err := client.Use(&c); err != nil {
		t.Fatal(err)
	}
	return &client
}

func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, body)
	}
}

func result(kind, values string) string {
	return fmt.Sprintf(`{"status":"success","data":{"resultType":%q,"result":%s}}`, kind, values)
}

func TestTheOneFigure(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		want   float64
		err    string
	}{
		"a series":       {answer: result("vector", `[{"metric":{"a":"b"},"value":[1, "42.5"]}]`), want: 42.5},
		"a scalar":       {answer: result("scalar", `[1, "7"]`), want: 7},
		"none":           {answer: result("vector", `[]`), err: "or vector(0)"},
		"two":            {answer: result("vector", `[{"metric":{},"value":[1,"1"]},{"metric":{"a":"b"},"value":[1,"2"]}]`), err: "2 series, not one; write sum(QUERY)"},
		"a range":        {answer: result("matrix", `[{"metric":{},"values":[[1,"1"]]}]`), err: "a matrix, not a figure"},
		"a histogram":    {answer: result("vector", `[{"metric":{},"histogram":[1,{"count":"1","sum":"1","buckets":[]}]}]`), err: "histogram_count"},
		"a bad query":    {answer: `{"status":"error","errorType":"bad_data","error":"parse error: unexpected end"}`, err: "parse error"},
		"a login page":   {answer: "<html>please log in", err: "invalid character"},
		"half an answer": {answer: `{"status":"success","data":{"resultType":"vector"`, err: "http://"},
		"without an end": {answer: `{"status":"success","data":"` + strings.Repeat("x", 2*longestAnswer) + `"}`, err: "longer than"},
		"nothing":        {answer: "", err: "http://"},
		"a part": {answer: strings.Replace(result("scalar", `[1, "7"]`), "{", `{"warnings":["store-2 does not answer"],`, 1),
			err: "may be wrong: store-2 does not answer"},
		"a hint": {answer: strings.Replace(result("scalar", `[1, "7"]`), "{", `{"warnings":["PromQL info: metric might not be a counter"],`, 1),
			want: 7},
		"null":      {answer: "null", err: "says nothing"},
		"null data": {answer: `{"status":"success","data":null}`, err: "says nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := serve(t, says(c.answer)).Count(t.Context(), "up")
			if c.err == "" && (err != nil || got != c.want) {
				t.Errorf("%g, %v; want %g", got, err, c.want)
			}
			if c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("%g, error %q; want one with %q", got, err, c.err)
			}
		})
	}
}

func TestWhatIsSent(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("the-first\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var path, query, sent string
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		path, query, sent = r.URL.Path, r.FormValue("query"), r.Header.Get("Authorization")
		says(result("scalar", `[1, "7"]`))(w, r)
	}, func(c *Config) { c.TokenFile = token })
	for _, want := range []string{"the-first", "renewed"} {
		if _, err := client.Count(t.Context(), `sum(x{side="vm"})`); err != nil {
			t.Fatal(err)
		}
		if path != "/prefix/api/v1/query" || query != `sum(x{side="vm"})` || sent != "Bearer "+want {
			t.Errorf("%s %s %s", path, query, sent)
		}
		if err := os.WriteFile(token, []byte("renewed"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(token); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Count(t.Context(), "up"); err == nil || !strings.Contains(err.Error(), "tokenFile") {
		t.Errorf("without its token: %v", err)
	}
}

func TestTheTokenStaysWithTheServer(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("asked elsewhere, with %q", r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	}, func(c *Config) { c.TokenFile = token })
	if _, err := client.Count(t.Context(), "up"); err == nil || !strings.Contains(err.Error(), "307") {
		t.Errorf("redirected: %v", err)
	}
}

func TestNobodyAnswers(t *testing.T) {
	var none Client
	if _, err := none.Count(t.Context(), "up"); !errors.Is(err, ErrNoServer) || none.Every() != 0 {
		t.Errorf("%v", err)
	}
	end := make(chan struct{})
	slow := serve(t, func(http.ResponseWriter, *http.Request) { <-end }, func(c *Config) { c.Timeout = 50 * time.Millisecond })
	defer close(end)
	if _, err := slow.Count(t.Context(), "up"); err == nil || !strings.Contains(err.Error(), "does not answer within 50ms") {
		t.Errorf("%v", err)
	}
	if err := slow.Use(nil); err != nil || slow.Every() != 0 {
		t.Errorf("%v", err)
	}
}

func TestSettingsThatAreWrong(t *testing.T) {
	for want, set := range map[string]func(*Config){
		"url":     func(c *Config) { c.URL = "prometheus:9090" },
		"every":   func(c *Config) { c.Every = time.Millisecond },
		"timeout": func(c *Config) { c.Timeout = 0 },
	} {
		c := Config{URL: "https://prometheus.monitoring/prefix"}
		setting.Defaults(&c)
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		set(&c)
		problems := setting.Problems(c.Validate())
		if len(problems) != 1 || problems[0].Path.String() != want {
			t.Errorf("%s: %v", want, problems)
		}
	}
	c := Config{URL: "http://user:secret@prometheus:9090", Every: time.Minute, Timeout: time.Second, CA: "/nowhere", TokenFile: "/nowhere"}
	if len(setting.Problems(c.Validate())) != 1 || len(setting.Problems(c.ValidateFiles())) != 2 {
		t.Errorf("%v, %v", c.Validate(), c.ValidateFiles())
	}
}
