package mirror

import (
	"log/slog"
	"slices"
	"testing"
)

func TestSkips(t *testing.T) {
	cfg := testConfig()
	cfg.Skip = []string{"/ours", "/cron2/*/run", "?preview", "?do=DEL*", "!?token"}
	m := New(cfg, nil, nil, slog.New(slog.DiscardHandler))
	for target, want := range map[[2]string]bool{
		{"/", ""}: false, {"/wiki/Page", "page=2&sort=name"}: false, {"/our", ""}: false, {"/ours/1", ""}: false, {"/tokens", "token=1"}: false,
		{"/ours", ""}: true, {"/Ours/", "a=b"}: true, {"/cron2/a/b/run", ""}: true, {"/cron2/run", ""}: false,
		{"/a", "x=1&preview"}: true, {"/a", "do=delete"}: true, {"/a", "do=show"}: false,
		// known ones
		{"/logout", ""}: true, {"/users/sign_out", ""}: true, {"/wp-login.php", "action=logout&x=1"}: true,
		{"/index.php", "title=Special:UserLogout"}: true, {"/index.php", "title=Special%3aUserLogout"}: true, {"/wiki/Special:UserLogout", ""}: true,
		{"/list/unsubscribe/7", ""}: true, {"/wp-cron.php", "doing_wp_cron=1"}: true, {"/app/cron.php", ""}: true, {"/cron/hourly", ""}: true,
		{"/cb", "code=1&state=2"}: true, {"/cb", "code=1"}: false, {"/cb", "ticket=ST-1"}: true, {"/sso", "SAMLRequest=x"}: true,
		{"/a", "_wpnonce=1"}: true, {"/users/confirmation", "confirmation_token=x"}: true, {"/activate/5f3a", ""}: true,
		{"/login/oauth2/code/github", ""}: true, {"/signin-oidc", ""}: true, {"/auth/google/callback", ""}: true,
		{"/login", "next=/"}: false, {"/auth/profile", ""}: false, {"/microns", ""}: false, {"/activate", ""}: false,
	} {
		if got := m.Skips(target[0], target[1]); got != want {
			t.Errorf("%s ?%s: skipped %v, want %v", target[0], target[1], got, want)
		}
	}
	if skipped := cfg.Skipped(); slices.Contains(skipped, "?token") || !slices.Contains(skipped, "/ours") || !slices.Contains(skipped, "?ticket") {
		t.Errorf("said to be skipped: %q", skipped)
	}
}

func TestKnownSkipsAreValid(t *testing.T) {
	cfg := testConfig()
	cfg.Skip = DefaultSkip()
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	for _, text := range []string{"", "logout", "?", "?a&", "?=x", "!/nothing"} {
		cfg.Skip = []string{text}
		if err := cfg.Validate(); err == nil {
			t.Errorf("%q passes", text)
		}
	}
}

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"/a", "/a", true}, {"/a", "/ab", false}, {"/a*", "/ab", true}, {"*", "", true}, {"*a", "ba", true}, {"*a", "ab", false},
		{"*a*", "bab", true}, {"a*a", "a", false}, {"a*a", "aa", true}, {"a*b*c", "a1b2c", true}, {"a*b*c", "acb", false}, {"a**c", "abc", true},
		{"*ab", "aab", true}, {"*x*ab", "xaabab", true},
	} {
		if got := matches(c.pattern, c.s); got != c.want {
			t.Errorf("%q and %q: %v", c.pattern, c.s, got)
		}
	}
}

func BenchmarkSkips(b *testing.B) {
	m := New(testConfig(), nil, nil, nil)
	b.ReportAllocs()
	for b.Loop() {
		m.Skips("/wiki/Special:Recent/changes", "days=7&limit=500")
	}
}
