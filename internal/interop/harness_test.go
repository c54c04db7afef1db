package interop

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/pcscdtest"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// The PINs of all cards here.
const (
	soPIN   = "87654321"
	userPIN = "123456"
	userPUK = "11223344"
)

// need skips the test, or fails it where the environment demands the tools.
func need(t *testing.T) {
	t.Helper()
	var missing []string
	for _, tool := range []string{"pkcs15-init", "pkcs15-tool", "pkcs11-tool", "opensc-tool"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, tool)
		}
	}
	if c, err := net.DialTimeout("tcp", virtual.DefaultPlug, time.Second); err != nil {
		missing = append(missing, "the vpcd reader of a running pcscd")
	} else {
		c.Close()
	}
	if len(missing) > 0 {
		pcscdtest.Lacks(t, strings.Join(missing, ", ")+" (install pcscd, vsmartcard-vpcd and opensc, and start pcscd)")
	}
}

// plug puts a card into the vpcd reader until the test ends.
func plug(t *testing.T, card *virtual.Card) {
	t.Helper()
	waitFor(t, "the reader to be empty", func() bool { return !strings.Contains(try("opensc-tool", "-l"), " Yes ") })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- card.Plug(ctx, virtual.DefaultPlug) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && ctx.Err() == nil {
			t.Errorf("plug: %v", err)
		}
	})
	waitFor(t, "the card to be seen", func() bool { return strings.Contains(try("opensc-tool", "-l"), " Yes ") })
}

// waitFor asks again until it is so; each asking runs a program and so takes
// its time.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !so(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// try runs a program and returns what it prints.
func try(name string, args ...string) string {
	out, _ := exec.Command(name, args...).CombinedOutput()
	return string(out)
}

// run runs a program that must succeed, and returns its standard output.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String()
}

// file writes a file of the test's own and returns its name.
func file(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// read reads a file.
func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// contains checks that a program's output has all of want.
func contains(t *testing.T, out string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("the output lacks %q:\n%s", w, out)
		}
	}
}

// open returns the token on a card, through this library.
func open(t *testing.T, card *virtual.Card) token.Token {
	t.Helper()
	m, err := cryptoki.Open(t.Context(), cryptoki.WithProvider(virtual.Single(card)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	slots, err := m.Slots(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if len(slots) == 0 {
		t.Fatal("no slot with a token")
	}
	tok, err := slots[0].Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// login opens a read/write session as the user.
func login(t *testing.T, tok token.Token) *session.Session {
	t.Helper()
	s, err := session.Open(t.Context(), tok, session.ReadWrite())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	again(t, s)
	return s
}

// again logs in if the session is not: pcscd resets the card when it comes
// and when nobody uses it, and that ends every login.
func again(t *testing.T, s *session.Session) {
	t.Helper()
	err := s.Login(t.Context(), token.User, token.NewPIN([]byte(userPIN)))
	if errors.Is(err, ckr.UserAlreadyLoggedIn) {
		for range s.Find(t.Context()) { // notices a reset
			break
		}
		err = s.Login(t.Context(), token.User, token.NewPIN([]byte(userPIN)))
	}
	if err != nil && !errors.Is(err, ckr.UserAlreadyLoggedIn) {
		t.Fatal(err)
	}
}

// initialised returns a card with an empty token of ours, and a user session.
func initialised(t *testing.T) (*virtual.Card, *session.Session) {
	t.Helper()
	card := virtual.New()
	tok := open(t, card)
	so := token.NewPIN([]byte(soPIN))
	if err := tok.Initialize(t.Context(), so, "interop"); err != nil {
		t.Fatal(err)
	}
	s, err := session.Open(t.Context(), tok, session.ReadWrite())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Login(t.Context(), token.SO, so); err != nil {
		t.Fatal(err)
	}
	if err := s.InitPIN(t.Context(), token.NewPIN([]byte(userPIN))); err != nil {
		t.Fatal(err)
	}
	if err := s.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	return card, login(t, tok)
}

// find returns the one object that matches.
func find(t *testing.T, s *session.Session, match ...object.Attribute) *object.Object {
	t.Helper()
	again(t, s)
	var found []*object.Object
	for o, err := range s.Find(t.Context(), match...) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, o)
	}
	if len(found) != 1 {
		t.Fatalf("%d objects match %v", len(found), match)
	}
	return found[0]
}

// labels lists class and label of all objects that a session sees.
func labels(t *testing.T, s *session.Session) (all []string) {
	t.Helper()
	for o, err := range s.Find(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		label, err := object.Get(t.Context(), o, object.AttrLabel)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o.Class().String()+" "+label)
	}
	return all
}
