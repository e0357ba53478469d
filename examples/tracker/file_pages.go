package tracker

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"strings"
	"time"
	"unicode/utf8"
)

const filesShown = 100

func (s *Server) filesPage(w http.ResponseWriter, r *http.Request) {
	files, err := s.store.Files(r.Context(), filesShown)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if wantsJSON(r) {
		s.sendJSON(w, r, http.StatusOK, files)
		return
	}
	s.render(w, r, "files", "Files", files)
}

// upload stores the first file of a multipart form as it arrives.
func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	// Room for the parts' headers beside the file itself.
	r.Body = http.MaxBytesReader(w, r.Body, s.config.MaxUpload+maxFormBytes)
	part, err := filePart(r)
	if err != nil {
		s.fail(w, r, badBody(err))
		return
	}
	user := userOf(r.Context())
	file := File{Name: cleanName(part.FileName()), Type: part.Header.Get("Content-Type"), Author: user}
	file, err = s.store.SaveFile(r.Context(), file, &bounded{part, s.config.MaxUpload}, time.Now())
	if err != nil {
		s.fail(w, r, badBody(err))
		return
	}
	s.written(user, "file.upload", file.URL(), fmt.Sprintf("%d bytes", file.Size))
	if wantsJSON(r) {
		w.Header().Set("Location", file.URL())
		s.sendJSON(w, r, http.StatusCreated, file)
		return
	}
	w.Header().Set("Location", "/files")
	w.WriteHeader(http.StatusSeeOther)
}

func filePart(r *http.Request) (*multipart.Part, error) {
	form, err := r.MultipartReader()
	if err != nil {
		return nil, refusal{http.StatusBadRequest, "an upload is a multipart form"}
	}
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, refusal{http.StatusBadRequest, "the form has no file"}
		}
		if err != nil {
			return nil, err
		}
		if part.FileName() != "" {
			return part, nil
		}
	}
}

// bounded reads at most left bytes and then refuses, unlike io.LimitReader, which would cut the file
// short and call it whole.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n, refusal{http.StatusRequestEntityTooLarge, "the file is larger than this tracker takes"}
	}
	return n, err
}

// cleanName keeps the last element of a client's path, without what would break a header or a page.
func cleanName(name string) string {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return -1
		}
		return r
	}, name)
	for len(name) > maxTitle {
		_, last := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-last]
	}
	if name == "" || name == "." || name == "/" {
		return "unnamed"
	}
	return name
}

// download sends a file, in parts when asked to. It is always offered for saving: what users upload
// must not run as a page of this site.
func (s *Server) download(w http.ResponseWriter, r *http.Request) {
	id, err := idOf(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	file, content, err := s.store.OpenFile(r.Context(), id)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	defer content.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": file.Name}))
	w.Header().Set("ETag", `"`+file.SHA256+`"`)
	http.ServeContent(w, r, "", file.Created, content)
}
