package replay

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// Recorder collects exchanges. It is safe for concurrent use.
type Recorder struct {
	pins bool
	mu   sync.Mutex
	t    Transcript
}

// RecorderOption changes what a Recorder keeps.
type RecorderOption func(*Recorder)

// WithPINs records PINs as they are, for a transcript that is to be played to a
// virtual card.
func WithPINs() RecorderOption { return func(r *Recorder) { r.pins = true } }

// NewRecorder begins a transcript.
func NewRecorder(head Head, opts ...RecorderOption) *Recorder {
	r := &Recorder{t: Transcript{Head: head}}
	for _, opt := range opts {
		opt(r)
	}
	return r
}

// Transcript is a copy of what was recorded so far.
func (r *Recorder) Transcript() *Transcript {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.t
	t.Head.Resets = append([]int(nil), t.Head.Resets...)
	t.Exchanges = append([]Exchange(nil), t.Exchanges...)
	return &t
}

// Trace records one exchange, see [apdu.WithTrace].
func (r *Recorder) Trace(command, response []byte, err error) {
	e := Exchange{Command: bytes.Clone(command)}
	if err != nil {
		e.Error = kindOf(err)
	} else {
		e.Response = append(Hex{}, response...)
	}
	if !r.pins && carriesPIN(command) {
		cmd, perr := apdu.ParseCommand(e.Command)
		if perr != nil {
			cmd.Data = e.Command[4:]
		}
		e.Hidden = len(cmd.Data) > 0
		clear(cmd.Data)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.t.Exchanges = append(r.t.Exchanges, e)
}

// reset records that the card was reset before the next exchange.
func (r *Recorder) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.t.Head.Resets = append(r.t.Head.Resets, len(r.t.Exchanges))
}

// carriesPIN tells whether the data of a command are PINs: VERIFY, CHANGE
// REFERENCE DATA, RESET RETRY COUNTER and the two that switch verification.
func carriesPIN(command []byte) bool {
	if len(command) < 5 {
		return false
	}
	switch command[1] {
	case 0x20, 0x21, 0x24, 0x26, 0x28, 0x2C:
		return true
	}
	return false
}

// kinds are the errors that a transcript knows, the more telling first.
var kinds = []struct {
	name string
	err  error
}{
	{"removed", apdu.ErrRemoved},
	{"reset", apdu.ErrReset},
	{"cut", context.Canceled},
	{"cut", context.DeadlineExceeded},
	{"link", apdu.ErrLink},
}

func kindOf(err error) string {
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k.name
		}
	}
	return "link"
}

// errorOf is the error that a kind stands for. An answer that nobody waited for
// is lost in a replay.
func errorOf(kind string) error {
	for _, k := range kinds {
		if k.name == kind && kind != "cut" {
			return k.err
		}
	}
	return errors.Join(apdu.ErrLink, apdu.ErrOutcomeUnknown)
}

// Wrap returns a Transport that records what goes through t. Empty fields of
// the head are filled in from its Info.
func (r *Recorder) Wrap(t apdu.Transport) apdu.Transport {
	info := t.Info()
	r.mu.Lock()
	if r.t.Head.ATR == nil {
		r.t.Head.ATR = bytes.Clone(info.ATR)
	}
	if r.t.Head.Reader == "" {
		r.t.Head.Reader = info.Reader
	}
	r.mu.Unlock()
	w := wrapped{Transport: t, r: r}
	if pad, ok := t.(apdu.PINPad); ok {
		return wrappedPINPad{w, pad}
	}
	return w
}

// wrapped stands for a Transport with or without Transactor and Liveness: a
// card that nobody else can reach is undisturbed, and one that does not know is
// alive.
type wrapped struct {
	apdu.Transport
	r *Recorder
}

func (w wrapped) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	response, err := w.Transport.Transmit(ctx, command)
	if errors.Is(err, apdu.ErrReset) { // the command did not reach the card
		w.r.reset()
		return response, err
	}
	w.r.Trace(command, response, err)
	return response, err
}

func (w wrapped) Begin(ctx context.Context) (apdu.Transaction, error) {
	t, ok := w.Transport.(apdu.Transactor)
	if !ok {
		return apdu.Transaction{End: func() error { return nil }, Undisturbed: true}, nil
	}
	begun, err := t.Begin(ctx)
	if errors.Is(err, apdu.ErrReset) {
		w.r.reset()
	}
	return begun, err
}

func (w wrapped) Alive() bool {
	l, ok := w.Transport.(apdu.Liveness)
	return !ok || l.Alive()
}

type wrappedPINPad struct {
	wrapped
	pad apdu.PINPad
}

func (w wrappedPINPad) Verify(ctx context.Context, b apdu.PINBlock) (apdu.Status, error) {
	status, err := w.pad.Verify(ctx, b)
	w.tap(b, status, err)
	return status, err
}

func (w wrappedPINPad) Modify(ctx context.Context, b apdu.PINBlock) (apdu.Status, error) {
	status, err := w.pad.Modify(ctx, b)
	w.tap(b, status, err)
	return status, err
}

// tap records a PIN that was entered on the reader with what is known of it.
func (w wrappedPINPad) tap(b apdu.PINBlock, status apdu.Status, err error) {
	command, encodeErr := b.Command.Bytes()
	if encodeErr != nil {
		return
	}
	var response []byte
	if err == nil {
		response = []byte{status.SW1(), status.SW2()}
	}
	w.r.Trace(command, response, err)
}
