package identity_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
)

// judge keeps what was found wrong: the first of each kind in each world with
// the step, of the others how many.
type judge struct {
	t     *testing.T
	world string
	step  func() int64

	mu     sync.Mutex
	counts map[string]int
}

func newJudge(t *testing.T) *judge {
	return &judge{t: t, counts: make(map[string]int), step: func() int64 { return 0 }}
}

func (j *judge) fail(kind, format string, args ...any) {
	j.t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	key := j.world + ": " + kind
	j.counts[key]++
	if j.counts[key] == 1 {
		j.t.Errorf("step %d, %s: %s", j.step(), key, fmt.Sprintf(format, args...))
	}
}

// sum tells how often each kind of mistake was found.
func (j *judge) sum() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for key, n := range j.counts {
		j.t.Logf("%d times: %s", n, key)
	}
}

// codes are those that the standard has for an operation whose key, token,
// login or session went away, or whose PIN was refused.
var codes = map[ckr.Code]bool{
	ckr.KeyHandleInvalid: true, ckr.ObjectHandleInvalid: true, ckr.SessionHandleInvalid: true,
	ckr.TokenNotPresent: true, ckr.TokenNotRecognized: true, ckr.DeviceRemoved: true, ckr.DeviceError: true, ckr.SlotIDInvalid: true,
	ckr.UserNotLoggedIn: true, ckr.UserAlreadyLoggedIn: true,
	ckr.PINIncorrect: true, ckr.PINLocked: true, ckr.FunctionCanceled: true,
	ckr.KeyNeeded: true, ckr.KeyTypeInconsistent: true, ckr.KeyFunctionNotPermitted: true, ckr.KeyChanged: true,
	ckr.EncryptedDataInvalid: true, ckr.EncryptedDataLenRange: true,
}

// excuse checks that an error says why, with one of the codes above or of more.
func (j *judge) excuse(what string, err error, more ...ckr.Code) {
	j.t.Helper()
	if err == nil {
		return
	}
	var e *ckr.Error
	if !errors.As(err, &e) {
		j.fail("an error without a code", "%s: %T %v", what, err, err)
		return
	}
	code := ckr.Of(err)
	ok := codes[code]
	for _, c := range more {
		ok = ok || c == code
	}
	text := err.Error()
	switch {
	case !ok:
		j.fail("an error of another code than the standard has", "%s: %s: %v", what, code.Name(), err)
	case strings.TrimSpace(text) == "" || strings.Contains(text, "%!") || strings.Contains(text, "<nil>"):
		j.fail("an error that does not say why", "%s: %q", what, text)
	}
}
