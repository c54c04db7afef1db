package engine

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// parallel is a Backend without APDUs that signs for several callers at once.
type parallel struct {
	*signer
	mu      sync.Mutex
	running int
	most    int
	release chan struct{}
}

func (p *parallel) Exclusive(ctx context.Context, f func(ctx context.Context, tx driver.Tx) error) error {
	return f(ctx, driver.Undisturbed)
}

func (p *parallel) Shared(ctx context.Context, f func(ctx context.Context) error) error {
	return f(ctx)
}

func (p *parallel) Sign(context.Context, driver.Ref, mechanism.Mechanism, []byte, driver.Auth) ([]byte, error) {
	p.mu.Lock()
	p.running++
	p.most = max(p.most, p.running)
	p.mu.Unlock()
	<-p.release
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running--
	return []byte("signature"), nil
}

func TestUsesOfAParallelBackendRunAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &parallel{signer: &signer{bare: newBare(t, &link{})}, release: make(chan struct{})}
		b.records = []driver.Record{keyRecord("key")}
		s := seatOn(t, b)
		key := found(t, s)[0]
		var errs [3]error
		var wait sync.WaitGroup
		for i := range errs {
			wait.Go(func() { errs[i] = use(t, s, key) })
		}
		synctest.Wait()
		if b.most != len(errs) {
			t.Errorf("%d uses at once, want %d", b.most, len(errs))
		}
		// A logout cuts them all.
		if err := s.Logout(t.Context()); err != nil {
			t.Fatal(err)
		}
		close(b.release)
		wait.Wait()
		for _, err := range errs {
			code(t, err, ckr.UserNotLoggedIn)
		}
	})
}
