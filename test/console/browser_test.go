package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// browser is a Chromium with one page. What the page writes to its console as a warning or an error
// fails the test, unless it is among what the test expects.
type browser struct {
	t    *testing.T
	ctx  context.Context
	deaf bool // while the gateway is gone on purpose: failed loads are no mistakes

	mu       sync.Mutex
	mistakes []string
}

func open(t *testing.T, width, height int64) *browser {
	t.Helper()
	allocator, stop := chromedp.NewExecAllocator(t.Context(),
		chromedp.ExecPath("/usr/bin/chromium"), chromedp.UserDataDir(t.TempDir()), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.WindowSize(int(width), int(height)), chromedp.WSURLReadTimeout(patience),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("hide-scrollbars", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("force-color-profile", "srgb"))
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() { cancel(); stop() })
	b := &browser{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	call(b, log.Enable, cdp.Empty{})
	call(b, runtime.Enable, cdp.Empty{})
	b.size(width, height)
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, text := range b.mistakes {
			t.Errorf("the browser's console says: %s", text)
		}
	})
	return b
}

// call is one command of the protocol.
func call[P, R any](b *browser, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	r, err := chromedp.Call(b.ctx, command, params)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// size is that of the window; a narrow one is a phone's.
func (b *browser) size(width, height int64) {
	b.t.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 600})
}

// scheme is what the system wants: light or dark.
func (b *browser) scheme(value string) {
	b.t.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}}})
}

func (b *browser) hear(event any) {
	text := ""
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			text = e.Entry.Text + " " + e.Entry.URL
		}
	case *runtime.EventExceptionThrown:
		text = e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			text = fmt.Sprint("console.", e.Type)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if text != "" && !(b.deaf && strings.Contains(text, "Failed to load resource") || b.deaf && strings.Contains(text, "net::ERR")) {
		b.mistakes = append(b.mistakes, text)
	}
}

func (b *browser) setDeaf(deaf bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deaf = deaf
}

func (b *browser) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// evaluate is the value of an expression in the page.
func evaluate[T any](b *browser, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// visit opens a page of the console.
func (b *browser) visit(url string) {
	b.t.Helper()
	b.do("visit "+url, chromedp.Navigate(url))
}

// wait waits until an expression is true in the page.
func (b *browser) wait(expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	wait := chromedp.Poll[chromedp.Void](`(() => { try { return Boolean(`+expression+`); } catch { return false; } })()`,
		chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(0))
	err := chromedp.Do(ctx, wait)
	for err != nil && ctx.Err() == nil && replaced(err) {
		time.Sleep(20 * time.Millisecond)
		err = chromedp.Do(ctx, wait)
	}
	if err != nil {
		_ = os.WriteFile(filepath.Join(os.TempDir(), "yadokari-console-failure.png"), b.image(false), 0o600)
		b.t.Fatalf("waited in vain for %s: %v\nthe page says: %s", expression, err, b.text("document.body.innerText.slice(0, 3000)"))
	}
}

// replaced tells whether an error means that the page is being replaced by the next one.
func replaced(err error) bool {
	for _, text := range []string{"context", "Not attached to an active page", "navigated"} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

// says waits until the page shows a text somewhere.
func (b *browser) says(text string) {
	b.t.Helper()
	quoted, _ := json.Marshal(text)
	b.wait(`document.body.innerText.includes(` + string(quoted) + `)`)
}

func (b *browser) text(expression string) string {
	b.t.Helper()
	return evaluate[string](b, "String("+expression+")")
}

func (b *browser) truth(expression string) bool {
	b.t.Helper()
	return evaluate[bool](b, "Boolean("+expression+")")
}

// click clicks with the mouse in the middle of an element, once it is there, enabled and not covered.
func (b *browser) click(selector string) {
	b.t.Helper()
	quoted, err := json.Marshal(selector)
	if err != nil {
		b.t.Fatal(err)
	}
	find := `(() => { const el = document.querySelector(` + string(quoted) + `); if (!el || el.disabled) return null;
		el.scrollIntoView({block: "center", behavior: "instant"}); const r = el.getBoundingClientRect(); const x = r.x + r.width / 2, y = r.y + r.height / 2;
		const hit = document.elementFromPoint(x, y); return hit && (el === hit || el.contains(hit)) ? [x, y] : null; })()`
	b.wait(find)
	at := evaluate[[]float64](b, find)
	if len(at) != 2 {
		b.t.Fatalf("%s is gone or covered", selector)
	}
	b.do("click "+selector, chromedp.MouseClickXY(at[0], at[1]))
}

// press types keys: letters as they are, others by their kb constants.
func (b *browser) press(keys ...string) {
	b.t.Helper()
	for _, key := range keys {
		b.do("press "+key, chromedp.KeyEvent(key))
	}
}

const (
	enter = kb.Enter
	tab   = kb.Tab
)

// confirm answers the dialog that is open with its first button, and waits until it is gone.
func (b *browser) confirm() {
	b.t.Helper()
	b.click("dialog button[type=submit]")
	b.wait(`!document.querySelector("dialog")`)
}

// image is a picture of the page.
func (b *browser) image(whole bool) []byte {
	b.t.Helper()
	shoot := chromedp.CaptureScreenshot()
	if whole {
		shoot = chromedp.FullScreenshot(100)
	}
	picture, err := chromedp.Run(b.ctx, shoot)
	if err != nil {
		b.t.Fatal(err)
	}
	return picture
}

// keep writes a picture to the folder in PICTURES, or to one that goes with the test, as small as a PNG of
// few colours gets.
func (b *browser) keep(name string, whole bool) {
	b.t.Helper()
	picture, err := png.Decode(bytes.NewReader(b.image(whole)))
	if err != nil {
		b.t.Fatal(err)
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, fewColours(picture)); err != nil {
		b.t.Fatal(err)
	}
	dir := os.Getenv("PICTURES")
	if dir == "" {
		dir = b.t.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), out.Bytes(), 0o644); err != nil { //nolint:gosec // a picture for everybody
		b.t.Fatal(err)
	}
}

// evaluateOnly runs code in the page for its effect.
func evaluateOnly(code string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void]("(() => {" + code + "})()")
}

// forgive takes back mistakes that the test made on purpose.
func (b *browser) forgive(parts ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mistakes = slices.DeleteFunc(b.mistakes, func(text string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(text, part) })
	})
}
