package browser

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// Page is a page that a person sees.
type Page struct {
	*Answer
	Links []string // of a elements, as they stand there
	Forms []Form
}

// Form is what a form would send, were its button pressed at once.
type Form struct {
	ID, Action, Method string
	Fields             url.Values
	Buttons            url.Values
}

// Open opens a page with its assets. What goes wrong is noted; then, and for an error page, ok is false.
func (b *Browser) Open(ctx context.Context, target string) (page *Page, ok bool) {
	return b.show(ctx, http.MethodGet, target, nil, "")
}

// Submit sends a form with values set in it.
func (b *Browser) Submit(ctx context.Context, on *Page, f Form, set map[string]string) (page *Page, ok bool) {
	values := url.Values{}
	for name, list := range f.Fields {
		values[name] = slices.Clone(list)
	}
	for name, value := range set {
		values.Set(name, value)
	}
	action := on.resolve(f.Action)
	if !strings.EqualFold(f.Method, http.MethodPost) {
		query := values.Encode()
		action, _, _ = strings.Cut(action, "?")
		return b.show(ctx, http.MethodGet, action+"?"+query, nil, "")
	}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Referer": {on.URL.String()}}
	return b.show(ctx, http.MethodPost, action, header, values.Encode())
}

func (p *Page) resolve(target string) string {
	at, err := p.URL.Parse(target)
	if err != nil {
		return p.URL.String()
	}
	return at.String()
}

func (b *Browser) show(ctx context.Context, method, target string, header http.Header, body string) (page *Page, ok bool) {
	answer, err := b.Send(ctx, method, target, header, body)
	if err != nil {
		b.trouble(ctx, "page", err)
		return nil, false
	}
	page, assets := read(answer)
	b.load(ctx, page, assets)
	switch {
	case answer.Status >= 400:
		b.Complain(ctx, "page "+http.StatusText(answer.Status))
	case method == http.MethodGet && answer.Body == "":
		b.Complain(ctx, "page is empty")
	case strings.Contains(answer.Body, "<html") && !strings.Contains(answer.Body, "</html>"):
		b.Complain(ctx, "page is cut short")
	default:
		return page, true
	}
	return page, false
}

func (b *Browser) trouble(ctx context.Context, what string, err error) {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	b.Complain(ctx, what+": "+err.Error())
}

// read finds in a page what a browser does.
func read(answer *Answer) (page *Page, assets []string) {
	page = &Page{Answer: answer}
	if !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html") {
		return page, nil
	}
	var form *Form
	for z := html.NewTokenizer(strings.NewReader(answer.Body)); ; {
		kind := z.Next()
		if kind == html.ErrorToken {
			return page, assets
		}
		token := z.Token()
		if kind == html.EndTagToken {
			if token.Data == "form" {
				form = nil
			}
			continue
		}
		if kind != html.StartTagToken && kind != html.SelfClosingTagToken {
			continue
		}
		switch at := attributes(token); token.Data {
		case "img", "script":
			if at["src"] != "" && !strings.HasPrefix(at["src"], "data:") {
				assets = append(assets, at["src"])
			}
		case "link":
			if at["rel"] == "stylesheet" && at["href"] != "" {
				assets = append(assets, at["href"])
			}
		case "a":
			if at["href"] != "" {
				page.Links = append(page.Links, at["href"])
			}
		case "form":
			page.Forms = append(page.Forms, Form{
				ID: at["id"], Action: at["action"], Method: at["method"], Fields: url.Values{}, Buttons: url.Values{},
			})
			form = &page.Forms[len(page.Forms)-1]
		case "input":
			form.input(at)
		case "textarea":
			if form != nil && at["name"] != "" && z.Next() == html.TextToken {
				form.Fields.Add(at["name"], strings.TrimPrefix(z.Token().Data, "\n"))
			}
		}
	}
}

func attributes(token html.Token) map[string]string {
	all := make(map[string]string, len(token.Attr))
	for _, a := range token.Attr {
		all[a.Key] = a.Val
	}
	return all
}

func (f *Form) input(at map[string]string) {
	if f == nil || at["name"] == "" {
		return
	}
	_, checked := at["checked"]
	switch at["type"] {
	case "submit", "button", "image":
		f.Buttons.Add(at["name"], at["value"])
	case "file":
	case "checkbox", "radio":
		if checked {
			f.Fields.Add(at["name"], at["value"])
		}
	default:
		f.Fields.Add(at["name"], at["value"])
	}
}

// Form finds the form that has a field of a name.
func (p *Page) Form(field string) (Form, bool) {
	if p == nil {
		return Form{}, false
	}
	for _, f := range p.Forms {
		if f.Fields.Has(field) || f.Buttons.Has(field) {
			return f, true
		}
	}
	return Form{}, false
}

// Link finds the first link that holds a text.
func (p *Page) Link(part string) (string, bool) {
	if p == nil {
		return "", false
	}
	for _, link := range p.Links {
		if strings.Contains(link, part) {
			return p.resolve(link), true
		}
	}
	return "", false
}
