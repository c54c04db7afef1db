package faults_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
)

// forms are the ways in which a secret could be written, in lower case.
func forms(secret string) []string {
	list := []string{
		secret, hex.EncodeToString([]byte(secret)), fmt.Sprintf("% x", secret),
		base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
		strings.Trim(fmt.Sprint([]byte(secret)), "[]"), strings.ReplaceAll(strings.Trim(fmt.Sprint([]byte(secret)), "[]"), " ", ","),
	}
	for i := range list {
		list[i] = strings.ToLower(list[i])
	}
	return list
}

// records collects what is logged, down to the level of debugging.
type records struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *records) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

func (r *records) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func (r *records) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// dump is bytes of the card in hexadecimal, in which the digits of a PIN may
// come about by chance.
var dump = regexp.MustCompile(`"(?:data|response)":"[0-9a-f]*"`)

// betrayed returns the first form of a secret that is in a text.
func betrayed(text string, secrets []string) (form string, found bool) {
	text = strings.ToLower(text)
	masked := dump.ReplaceAllString(text, "")
	for _, secret := range secrets {
		for i, form := range forms(secret) {
			in := text
			if i == 0 {
				in = masked
			}
			if strings.Contains(in, form) {
				return form, true
			}
		}
	}
	return "", false
}
