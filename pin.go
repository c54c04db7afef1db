package cryptoki

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/uri"
)

// PINCache says how long Keys remember a PIN that the card has taken. The
// memory is cleared then, and when the Module is closed.
type PINCache struct {
	mode cacheMode
	life time.Duration
}

type cacheMode uint8

const (
	cacheNever cacheMode = iota
	cacheOperation
	cacheFor
	cacheLogin
)

// CacheNever asks for the PIN at each login and at each consent. It is what
// Keys do unless told otherwise.
func CacheNever() PINCache { return PINCache{} }

// CacheOneOperation asks once where one operation needs both a login and a
// consent.
func CacheOneOperation() PINCache { return PINCache{mode: cacheOperation} }

// CacheFor remembers the PIN for a time after it was typed.
func CacheFor(d time.Duration) PINCache { return PINCache{mode: cacheFor, life: d} }

// CacheUntilLogout remembers the PIN until the Module is closed or the card
// refuses it, so that a login that a reset ended is renewed without a person. A
// card that was taken out gets it again only if it has a number of its own and
// shows the keys that Keys are of, by public keys or certificates.
func CacheUntilLogout() PINCache { return PINCache{mode: cacheLogin} }

// holder keeps the PIN of one token, as the cache allows, and the one that was
// refused, which is not sent again.
type holder struct {
	cache PINCache
	of    *holders

	mu      sync.Mutex
	closed  bool // the card is another one: nothing is remembered any more
	pin     token.PIN
	timer   *time.Timer
	refused token.PIN
	dropped bool // the remembered PIN is not right any more, and nobody was told
}

// take returns a copy of the remembered PIN, which says that it is one.
func (h *holder) take() (token.PIN, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pin.IsZero() {
		return token.PIN{}, false
	}
	p := h.pin.Remembered()
	if h.cache.mode == cacheOperation {
		h.forget()
	}
	return p, true
}

// accepted notes that the card took the PIN. One that is remembered already
// was not typed anew: its time goes on.
func (h *holder) accepted(p token.PIN) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dropped = false
	h.refused.Clear()
	h.refused = token.PIN{}
	if h.closed || h.cache.mode == cacheNever || p.IsPad() || same(h.pin, p) {
		return
	}
	h.forget()
	h.pin = token.NewPIN(p.Reveal())
	if h.cache.mode == cacheFor {
		h.timer = time.AfterFunc(h.cache.life, h.clear)
	}
}

// holders are those of the cards that have one identity, which may be one card
// that was taken for several.
type holders struct {
	cache PINCache

	mu   sync.Mutex
	list []*holder
}

// add makes a holder of one more card.
func (l *holders) add() *holder {
	h := &holder{cache: l.cache, of: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, h)
	return h
}

// drop has all holders forget a PIN of the user that is not right any more: the
// card has refused it, whoever sent it, or it was changed.
func (l *holders) drop(r token.Role, p token.PIN) {
	if r != token.User {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.list {
		h.drop(p)
	}
}

func (l *holders) remove(h *holder) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = slices.DeleteFunc(l.list, func(other *holder) bool { return other == h })
}

// drop forgets the PIN if it is this one.
func (h *holder) drop(p token.PIN) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if same(h.pin, p) {
		h.forget()
		h.dropped = true
	}
}

// wasDropped reports, once, that the remembered PIN is not right any more.
func (h *holder) wasDropped() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	dropped := h.dropped
	h.dropped = false
	return dropped
}

// rejected notes that the card refused the PIN.
func (h *holder) rejected(p token.PIN) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forget()
	if h.closed || p.IsPad() {
		return
	}
	h.refused.Clear()
	h.refused = token.NewPIN(p.Reveal())
}

// wasRejected reports whether the card refused this PIN last time.
func (h *holder) wasRejected(p token.PIN) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !p.IsPad() && same(h.refused, p)
}

// same reports whether two PINs are alike, neither of them a pad's. The zero
// PIN is like none.
func same(kept, p token.PIN) bool {
	return !kept.IsZero() && subtle.ConstantTimeCompare(kept.Reveal(), p.Reveal()) == 1
}

// operationOver drops what is remembered for one operation only.
func (h *holder) operationOver() {
	if h.cache.mode == cacheOperation {
		h.clear()
	}
}

func (h *holder) clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forget()
}

// close forgets both PINs, for good.
func (h *holder) close() {
	h.of.remove(h)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.forget()
	h.refused.Clear()
	h.refused = token.PIN{}
}

func (h *holder) forget() {
	if h.timer != nil {
		h.timer.Stop()
		h.timer = nil
	}
	h.pin.Clear()
	h.pin = token.PIN{}
}

// sources says which PIN sources of URIs are followed.
type sources struct{ files, commands bool }

// maxPIN bounds what is read from a PIN source, in bytes.
const maxPIN = 1 << 10

// pinOf returns how a URI says to get the PIN; nil if it does not. Errors:
// ckr.ArgumentsBad for a source that is not allowed.
func (s sources) pinOf(u *uri.URI) (token.PINFunc, error) {
	switch {
	case u.PINValue != nil:
		return token.StaticPIN([]byte(*u.PINValue)), nil
	case u.PINSource == nil:
		return nil, nil
	}
	source := *u.PINSource
	if command, ok := strings.CutPrefix(source, "|"); ok {
		if !s.commands {
			return nil, ckr.Newf(ckr.ArgumentsBad, "pin-source", "commands are not allowed; see WithPINCommands")
		}
		return func(ctx context.Context, _ token.PINRequest) (token.PIN, error) { return pinFromCommand(ctx, command) }, nil
	}
	if !s.files {
		return nil, ckr.Newf(ckr.ArgumentsBad, "pin-source", "files are not allowed; see WithPINFiles")
	}
	path, err := fileOf(source)
	if err != nil {
		return nil, ckr.New(ckr.ArgumentsBad, "pin-source", err)
	}
	return func(context.Context, token.PINRequest) (token.PIN, error) { return pinFromFile(path) }, nil
}

// fileOf returns the file that a PIN source names, which is a path or a URI of
// the scheme file (RFC 8089), absolute and on this machine. The URI may have
// escapes of its own beside those of the URI around it; a percent sign that
// begins none stands for itself.
func fileOf(source string) (string, error) {
	path := source
	if scheme, rest, ok := strings.Cut(source, ":"); ok && isScheme(scheme) && !isDrivePath(source) {
		if !strings.EqualFold(scheme, "file") {
			return "", fmt.Errorf("PINs do not come from %q: name a file with file: and an absolute path, or a command after a |", scheme+":")
		}
		path = rest
		if authority, ok := strings.CutPrefix(rest, "//"); ok {
			host, file, _ := strings.Cut(authority, "/")
			if host != "" && !strings.EqualFold(host, "localhost") {
				return "", errors.New("the file is on another machine: between file:// and the path there may be localhost or nothing")
			}
			path = "/" + file
		}
		if plain, err := url.PathUnescape(path); err == nil {
			path = plain
		}
		if drive := strings.TrimPrefix(path, "/"); runtime.GOOS == "windows" && isDrivePath(drive) {
			path = drive
		}
	}
	switch {
	case !strings.HasPrefix(path, "/") && !isDrivePath(path):
		return "", errors.New("the path of the file is not absolute")
	case strings.IndexByte(path, 0) >= 0:
		return "", errors.New("the path of the file has a zero byte in it")
	}
	return path, nil
}

// isScheme reports whether s can be the scheme of a URI (RFC 3986 §3.1).
func isScheme(s string) bool {
	for i, c := range []byte(s) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && strings.IndexByte("+-.", c) < 0) {
			return false
		}
	}
	return s != ""
}

// isDrivePath reports whether a path is absolute as Windows has it.
func isDrivePath(p string) bool {
	return len(p) >= 3 && p[1] == ':' && (p[2] == '\\' || p[2] == '/')
}

func pinFromFile(path string) (token.PIN, error) {
	f, err := os.Open(path)
	if err != nil {
		return token.PIN{}, ckr.New(ckr.FunctionFailed, "pin-source", err)
	}
	defer f.Close()
	return pinFromReader(f)
}

func pinFromCommand(ctx context.Context, command string) (token.PIN, error) {
	words := strings.Fields(command)
	if len(words) == 0 {
		return token.PIN{}, ckr.Newf(ckr.ArgumentsBad, "pin-source", "no command given")
	}
	out, err := exec.CommandContext(ctx, words[0], words[1:]...).Output()
	defer clear(out)
	if err != nil {
		return token.PIN{}, ckr.New(ckr.FunctionFailed, "pin-source", err)
	}
	return pinFromReader(bytes.NewReader(out))
}

// pinFromReader takes the first line.
func pinFromReader(r io.Reader) (token.PIN, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxPIN))
	defer clear(b)
	if err != nil {
		return token.PIN{}, ckr.New(ckr.FunctionFailed, "pin-source", err)
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	return token.NewPIN(bytes.TrimRight(line, "\r")), nil
}
