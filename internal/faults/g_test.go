package faults_test

import (
	"context"
	"crypto"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// G1
func manyGoroutines(t *testing.T) {
	r := newRig(t)
	s := r.user()
	key := r.key(s, "k")
	public := r.find(s, object.AttrClass.Is(object.ClassPublicKey))[0]
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for j := range 8 {
				digest := make([]byte, 32)
				digest[0], digest[1] = byte(i), byte(j)
				switch (i + j) % 4 {
				case 0:
					// Another goroutine may destroy its object between the
					// finding and the reading; nobody destroys those of the token.
					if _, err := r.tryLabels(s); err != nil && ckr.Of(err) != ckr.ObjectHandleInvalid {
						t.Error(err)
					}
					if _, err := r.tryLabels(s, object.AttrToken.Is(true)); err != nil {
						t.Error(err)
					}
				case 1:
					o, err := s.Create(r.ctx, data("mine", true, object.AttrToken.Is(false))...)
					if err == nil {
						err = s.Destroy(r.ctx, o)
					}
					if err != nil {
						t.Error(err)
					}
				default:
					sig, err := s.Sign(r.ctx, mechanism.ECDSA{}, key, digest)
					if err == nil {
						err = s.Verify(r.ctx, mechanism.ECDSA{}, public, digest, sig)
					}
					if err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if n := r.wire.open(); n != 0 {
		t.Errorf("%d transactions are open", n)
	}
}

// run runs a child with a card file, and returns its exit code.
func run(t *testing.T, role, path string, env ...string) int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), "FAULTS_CHILD="+role, "FAULTS_PATH="+path), env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		t.Logf("%s", out)
		return exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0
}

// G2
func twoProcesses(t *testing.T) {
	path := storedCard(t)
	card := must(virtual.Open(path))(t)
	if code := run(t, "open", path); code != 3 {
		t.Errorf("another process opens the card's file: %d", code)
	}
	r := rigOn(t, card, virtual.Single(card))
	r.create(r.user(), "second", false)
	r.ok(r.module.Close())
	r.ok(card.Close())
	if code := run(t, "open", path); code != 0 {
		t.Errorf("another process does not open it afterwards: %d", code)
	}
	card = must(virtual.Open(path))(t)
	defer card.Close()
	r = rigOn(t, card, virtual.Single(card))
	r.one(r.user(), "second")
}

// G3
func childProcesses(t *testing.T) {
	path := storedCard(t)
	card := must(virtual.Open(path))(t)
	defer card.Close()
	r := rigOn(t, card, virtual.Single(card))
	s := r.user()
	if code := run(t, "files", path); code != 0 {
		t.Errorf("the child has the card's file: %d", code)
	}
	r.one(s, "first")
}

// G4
func callbacksThatReenter(t *testing.T) {
	r := newRig(t)
	var m *cryptoki.Module
	mode := "reenter"
	m = must(cryptoki.Open(r.ctx, cryptoki.WithProvider(r.wire), cryptoki.WithPIN(func(ctx context.Context, _ token.PINRequest) (token.PIN, error) {
		if n := r.wire.open(); n != 0 {
			t.Errorf("%d transactions are open while a person is asked", n)
		}
		if mode == "panic" {
			panic("the caller's own")
		}
		s := must(session.Open(ctx, r.token))(t)
		defer s.Close()
		r.labels(s)
		must(m.Slots(ctx, true))(t)
		return pin(userPIN), nil
	})))(t)
	defer m.Close()
	key := must(m.Key(r.ctx, "pkcs11:object=k;type=private"))(t)
	must(key.Sign(nil, make([]byte, 32), crypto.SHA256))(t)

	mode = "panic"
	other := must(cryptoki.Open(r.ctx, cryptoki.WithProvider(newWire(r.readers)), cryptoki.WithPIN(func(context.Context, token.PINRequest) (token.PIN, error) {
		panic("the caller's own")
	})))(t)
	defer other.Close()
	func() {
		defer func() {
			if p := recover(); p != "the caller's own" {
				t.Errorf("recovered %v", p)
			}
		}()
		other.Key(r.ctx, "pkcs11:object=k;type=private")
	}()
	r.labels(r.open(false))
}

// G5
func cancelledAtRandom(t *testing.T) {
	r := newRig(t)
	random := rand.New(rand.NewPCG(1, 2))
	good := 0
	for range 300 {
		p := strangerOn(t, r.card, r.readers)
		ctx, cancel := context.WithCancel(t.Context())
		p.ctx = ctx
		at := random.IntN(40) + 1
		p.suffers(virtual.At(at, virtual.Fault{Kind: virtual.Rewrite, Edit: func(answer []byte) []byte { cancel(); return answer }}))
		err := p.story()
		cancel()
		if err == nil {
			good++
		} else if !errors.Is(err, context.Canceled) {
			r.code(err, documented...)
		}
		p.heal()
		p.ctx = t.Context()
		if err := p.story(); err != nil {
			t.Errorf("after a cancel at %d: %v", at, err)
		}
		r.ok(p.module.Close())
		if n := p.wire.open(); n != 0 {
			t.Errorf("%d transactions are open", n)
		}
	}
	t.Logf("%d of 300 were not cancelled", good)
}
