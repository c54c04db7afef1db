package faults_test

import (
	"context"
	"crypto"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// adjacency looks at the card whether a use of a key follows its environment
// at once: nobody else's commands come in between.
type adjacency struct {
	mu     sync.Mutex
	before byte
	torn   int
}

func (a *adjacency) see(command, _ []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if command[1] == 0x2A && a.before != 0x22 {
		a.torn++
	}
	a.before = command[1]
}

// crowd is what many goroutines do with one session.
type crowd struct {
	*rig
	s           *session.Session
	key, public *object.Object
}

// work does one thing of many, as goroutine i for the j-th time. Every eighth
// call is cancelled at some moment.
func (c *crowd) work(i, j int, random *rand.Rand) error {
	ctx := c.ctx
	if random.IntN(8) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		go cancel()
	}
	switch random.IntN(4) {
	case 0:
		// Another goroutine may destroy its object between the finding and the
		// reading; nobody destroys those of the token.
		for o, err := range c.s.Find(ctx) {
			if err != nil {
				return err
			}
			if _, err := object.Get(ctx, o, object.AttrLabel); err != nil && ckr.Of(err) != ckr.ObjectHandleInvalid {
				return err
			}
		}
		return nil
	case 1:
		return c.own(ctx, fmt.Sprint("goroutine ", i, " time ", j))
	}
	digest := make([]byte, 32)
	binary.BigEndian.PutUint64(digest, uint64(i)<<32|uint64(j))
	sig, err := c.s.Sign(ctx, mechanism.ECDSA{}, c.key, digest)
	if err != nil {
		return err
	}
	return c.s.Verify(c.ctx, mechanism.ECDSA{}, c.public, digest, sig)
}

// own makes an object that is found as long as it is not destroyed.
func (c *crowd) own(ctx context.Context, label string) error {
	o, err := c.s.Create(ctx, data(label, true, object.AttrToken.Is(false))...)
	if err != nil {
		return err
	}
	for _, want := range []int{1, 0} {
		n := 0
		for _, err := range c.s.Find(c.ctx, object.AttrLabel.Is(label)) {
			if err != nil {
				return err
			}
			n++
		}
		if n != want {
			return fmt.Errorf("%q is found %d times, not %d", label, n, want)
		}
		if want == 1 {
			if err := c.s.Destroy(c.ctx, o); err != nil {
				return err
			}
		}
	}
	return nil
}

// G1
func manyGoroutines(t *testing.T) {
	var a adjacency
	r := newRig(t, virtual.Observe(a.see))
	s := r.user()
	c := &crowd{r, s, r.key(s, "k"), r.find(s, object.AttrClass.Is(object.ClassPublicKey))[0]}
	const goroutines = 64
	var wg sync.WaitGroup
	var cancelled atomic.Int64
	for i := range goroutines {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for j := range times(12, 1_000_000/goroutines) {
				err := c.work(i, j, random)
				switch {
				case errors.Is(err, context.Canceled):
					cancelled.Add(1)
				case err != nil:
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	r.state(s, token.RWUser)
	r.ok(r.sign(s, c.key))
	if n := r.wire.open(); n != 0 || a.torn != 0 {
		t.Errorf("%d transactions are open, %d units were torn", n, a.torn)
	}
	t.Logf("%d operations, of which %d were cancelled", times(12, 1_000_000/goroutines)*goroutines, cancelled.Load())
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

// calls are what is cancelled: each is given a session of the user, and may
// leave it logged out only if it says so.
var calls = []struct {
	name    string
	logsOut bool
	call    func(r *rig, ctx context.Context, s *session.Session) error
}{
	{"sign", false, func(r *rig, ctx context.Context, s *session.Session) error {
		key, err := first(ctx, s, named(object.ClassPrivateKey, "k"))
		if err != nil {
			return err
		}
		_, err = s.Sign(ctx, mechanism.ECDSA{}, key, make([]byte, 32))
		return err
	}},
	{"list", false, func(r *rig, ctx context.Context, s *session.Session) error {
		for o, err := range s.Find(ctx) {
			if err != nil {
				return err
			}
			if _, err := s.Attributes(ctx, o); err != nil {
				return err
			}
		}
		return nil
	}},
	{"write", false, func(r *rig, ctx context.Context, s *session.Session) error {
		o, err := s.Create(ctx, data("moving", true)...)
		if err != nil {
			return err
		}
		return s.Destroy(ctx, o)
	}},
	{"log in", true, func(r *rig, ctx context.Context, s *session.Session) error {
		if err := s.Logout(ctx); err != nil {
			return err
		}
		return s.Login(ctx, token.User, pin(userPIN))
	}},
	{"random", false, func(r *rig, ctx context.Context, s *session.Session) error {
		_, err := s.Random(ctx, 300)
		return err
	}},
}

// cancels are the moments at which a caller gives up: before an exchange,
// after it, during one that hangs, and during one that the reader cannot break
// off.
var cancels = []func(at int, cancel func()) virtual.Script{
	func(at int, cancel func()) virtual.Script {
		return func(n int, _ []byte) virtual.Fault {
			if at--; at == 0 {
				cancel()
			}
			return virtual.Fault{}
		}
	},
	func(at int, cancel func()) virtual.Script {
		return virtual.Rules(virtual.At(at, virtual.Fault{Kind: virtual.Rewrite, Edit: func(answer []byte) []byte { cancel(); return answer }}))
	},
	func(at int, cancel func()) virtual.Script {
		time.AfterFunc(time.Second, cancel)
		return virtual.Rules(virtual.At(at, virtual.Fault{Kind: virtual.Hang}))
	},
	func(at int, cancel func()) virtual.Script {
		time.AfterFunc(time.Second, cancel)
		return virtual.Rules(virtual.At(at, virtual.Fault{Kind: virtual.Stall, Wait: time.Minute}))
	},
}

// G5
func cancelledAtRandom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		s := r.user()
		random := rand.New(rand.NewPCG(1, 2))
		cancelled := 0
		n := times(1000, 100_000)
		for i := range n {
			ctx, cancel := context.WithCancel(t.Context())
			c := calls[random.IntN(len(calls))]
			r.card.SetFaults(cancels[random.IntN(len(cancels))](1+random.IntN(12), cancel))
			start := time.Now()
			err := c.call(r, ctx, s)
			if took := time.Since(start); took > 1100*time.Millisecond {
				t.Errorf("%d: %s is let go after %v", i, c.name, took)
			}
			cancel()
			r.heal()
			time.Sleep(2 * time.Minute) // late answers come
			synctest.Wait()
			if errors.Is(err, context.Canceled) {
				cancelled++
			} else if err != nil {
				t.Errorf("%d: %s: %v", i, c.name, err)
			}
			r.recovered(s, c.logsOut)
			if t.Failed() {
				t.Fatalf("%d: %s, which ended with %v", i, c.name, err)
			}
		}
		t.Logf("%d of %d calls were cancelled", cancelled, n)
	})
}

// recovered checks that a session is as before.
func (r *rig) recovered(s *session.Session, mayBeOut bool) {
	r.Helper()
	if n := r.wire.open(); n != 0 {
		r.Errorf("%d transactions are open", n)
	}
	if mayBeOut && must(s.Info())(r).State == token.RWPublic {
		r.ok(s.Login(r.ctx, token.User, pin(userPIN)))
	}
	r.state(s, token.RWUser)
	r.wire.forget()
	for _, o := range r.find(s, object.AttrLabel.Is("moving")) {
		r.ok(s.Destroy(r.ctx, o))
	}
	r.ok(r.sign(s, r.key(s, "k")))
}
