package faults_test

import (
	"context"
	"runtime"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// documented are the codes of a card or reader in trouble.
var documented = []ckr.Code{
	ckr.OK, ckr.DeviceError, ckr.DeviceMemory, ckr.DeviceRemoved, ckr.TokenNotPresent, ckr.TokenNotRecognized,
	ckr.TokenNotInitialized, ckr.UserNotLoggedIn, ckr.UserPINNotInitialized, ckr.KeyHandleInvalid, ckr.ObjectHandleInvalid,
	ckr.SessionHandleInvalid, ckr.SessionClosed, ckr.FunctionFailed, ckr.FunctionNotSupported, ckr.PINIncorrect, ckr.PINLocked,
	ckr.PINLenRange, ckr.DataInvalid, ckr.DataLenRange, ckr.MechanismInvalid, ckr.KeyTypeInconsistent, ckr.KeySizeRange,
	ckr.UserTypeInvalid, ckr.FunctionCanceled, ckr.KeyFunctionNotPermitted, ckr.AttributeTypeInvalid, ckr.RandomNoRNG,
	ckr.EncryptedDataInvalid, ckr.EncryptedDataLenRange, ckr.TokenWriteProtected, ckr.MechanismParamInvalid,
}

// story does what most programs do: it finds the token, lists it, logs in,
// reads the objects, and signs.
func (r *rig) story() error {
	if err := r.tryLook(); err != nil {
		return err
	}
	s, err := session.Open(r.ctx, r.token)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := r.tryLabels(s); err != nil {
		return err
	}
	if err := s.Login(r.ctx, token.User, pin(userPIN)); err != nil {
		return err
	}
	key, err := r.tryKey(s, "k")
	if err != nil {
		return err
	}
	for o, err := range s.Find(r.ctx) {
		if err != nil {
			return err
		}
		if _, err := s.Attributes(r.ctx, o); err != nil {
			return err
		}
	}
	return r.sign(s, key)
}

// rewritten runs the story of a new program once for each of its exchanges,
// with the answer rewritten in each of the given ways. Each time it ends with
// a documented error or well, and then goes well with the same program: at once
// if strict, else after the card was put in again at the latest. That is for
// lies that look like another content of the card.
func (r *rig) rewritten(strict bool, ways ...func(answer []byte) []byte) {
	r.Helper()
	clean := strangerOn(r.T, r.card, r.readers)
	r.ok(clean.story())
	n := len(clean.wire.sent())
	for at := 1; at <= n; at++ {
		for way, f := range ways {
			p := strangerOn(r.T, r.card, r.readers)
			p.suffers(virtual.At(at, virtual.Fault{Kind: virtual.Rewrite, Edit: f}))
			var err error
			if bytes := allocated(func() { err = p.story() }); bytes > mostHeap {
				r.Errorf("exchange %d, way %d: %d bytes were allocated", at, way, bytes)
			}
			r.code(err, documented...)
			if open := p.wire.open(); open != 0 {
				r.Errorf("exchange %d, way %d: %d transactions are open", at, way, open)
			}
			p.heal()
			if !strict {
				r.ok(r.readers.Remove(reader))
				r.ok(r.readers.Insert(reader, r.card))
			}
			if again := p.story(); again != nil {
				r.Errorf("exchange %d, way %d: after %v the next time brings %v", at, way, err, again)
			}
			r.ok(p.module.Close())
			if r.Failed() {
				return
			}
		}
	}
	r.Logf("%d runs", n*len(ways))
}

// mostHeap is what no hostile card may make the heap grow by, in bytes.
const mostHeap = 32 << 20

// allocated returns how many bytes f allocates in all. What is garbage by the
// end counts, too, so that no peak of the heap can be higher: a bound for this is
// one for the peak, and does not depend on when the heap is looked at.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// highWater bounds the peak of the heap over several steps: what was alive
// before a step, and all that is allocated during it.
type highWater struct{ base, peak uint64 }

func newHighWater() *highWater { return &highWater{base: alive()} }

func alive() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func (h *highWater) during(f func()) {
	before := max(alive(), h.base) - h.base
	h.peak = max(h.peak, before+allocated(f))
}

// hostile opens a card whose files were replaced, and does with it what can be
// done. Nothing may panic, and the memory is bounded.
func (r *rig) hostile(files forged) (labels []string, err error) {
	r.Helper()
	p := strangerOn(r.T, r.card, r.readers)
	defer p.module.Close()
	p.forge(files)
	defer p.heal()
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	bytes := allocated(func() {
		if err = p.tryLook(); err != nil {
			return
		}
		var s *session.Session
		if s, err = session.Open(ctx, p.token); err != nil {
			return
		}
		defer s.Close()
		if labels, err = p.tryLabels(s); err != nil {
			return
		}
		for _, o := range p.find(s) {
			if _, err := s.Attributes(ctx, o); err != nil {
				r.code(err, documented...)
			}
		}
	})
	if bytes > mostHeap {
		r.Errorf("%d bytes were allocated", bytes)
	}
	if err != nil {
		r.code(err, documented...)
	}
	return labels, err
}
