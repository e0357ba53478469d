package browser

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/textproto"
)

// Upload sends a form together with a file.
func (b *Browser) Upload(ctx context.Context, on *Page, f Form, set map[string]string, field, name string, file []byte) (page *Page, ok bool) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	// Writes to a buffer do not fail.
	for key, list := range f.Fields {
		if _, given := set[key]; given {
			continue
		}
		for _, value := range list {
			_ = form.WriteField(key, value)
		}
	}
	for key, value := range set {
		_ = form.WriteField(key, value)
	}
	part, _ := form.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="` + field + `"; filename="` + name + `"`}, "Content-Type": {"image/jpeg"},
	})
	_, _ = part.Write(file)
	_ = form.Close()
	header := http.Header{"Content-Type": {form.FormDataContentType()}, "Referer": {on.URL.String()}}
	return b.show(ctx, http.MethodPost, on.resolve(f.Action), header, body.String())
}

// Photo is a picture of some 100 KiB that no other resembles.
func Photo() []byte {
	picture := image.NewRGBA(image.Rect(0, 0, 480, 320))
	for y := range 320 {
		for x := range 480 {
			picture.SetRGBA(x, y, color.RGBA{uint8(x + rand.IntN(64)), uint8(y + rand.IntN(64)), uint8(rand.IntN(256)), 255})
		}
	}
	var file bytes.Buffer
	_ = jpeg.Encode(&file, picture, nil) // a buffer takes it
	return file.Bytes()
}
