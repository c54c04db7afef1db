package session_test

import (
	"bytes"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/session"
)

// raw is another program's connection to the card.
type raw struct {
	t testing.TB
	c apdu.Transport
}

func (r *rig) raw() raw {
	r.t.Helper()
	c := must(r.readers.Connect(r.ctx, reader))(r.t)
	r.t.Cleanup(func() { c.Close() })
	return raw{r.t, c}
}

// send sends a command and wants 9000.
func (r raw) send(command ...byte) []byte {
	r.t.Helper()
	response := must(r.c.Transmit(r.t.Context(), command))(r.t)
	if !bytes.HasSuffix(response, []byte{0x90, 0x00}) {
		r.t.Fatalf("%X: the card answers %X", command, response)
	}
	return response[:len(response)-2]
}

// PIN references on cards that the library initialised.
const (
	rawUser = 1
	rawSO   = 3
)

// verify verifies a PIN.
func (r raw) verify(ref byte, pin string) {
	r.t.Helper()
	block := bytes.Repeat([]byte{0xFF}, 8)
	copy(block, pin)
	r.send(append([]byte{0x00, 0x20, 0x00, ref, 8}, block...)...)
}

// application selects the PKCS #15 application.
func (r raw) application() {
	r.t.Helper()
	r.send(append([]byte{0x00, 0xA4, 0x04, 0x00, 12}, "\xA0\x00\x00\x00\x63PKCS-15"...)...)
}

// file selects a file of the application and returns its content.
func (r raw) file(fid uint16) []byte {
	r.t.Helper()
	r.send(0x00, 0xA4, 0x08, 0x0C, 4, 0x50, 0x15, byte(fid>>8), byte(fid))
	return r.send(0x00, 0xB0, 0x00, 0x00, 0x00)
}

// writeProtect sets the readonly flag of the token's description, as the
// issuer would. It is noticed with the next look at the card.
func (r *rig) writeProtect() {
	r.t.Helper()
	s := r.open(false)
	r.writeProtectFor(s)
	noError(r.t, s.Close())
}

// writeProtectFor is writeProtect, noticed by an open session.
func (r *rig) writeProtectFor(s *session.Session) {
	r.t.Helper()
	c := r.raw()
	c.application()
	c.verify(rawSO, soPIN)
	info := c.file(0x5032)
	// TokenFlags as initialised: loginRequired and prnGeneration.
	flags := []byte{0x03, 0x02, 0x05, 0x60}
	at := bytes.Index(info, flags)
	if at < 0 {
		r.t.Fatalf("the token's description has no such flags: %X", info)
	}
	c.send(0x00, 0xD6, 0x00, byte(at), 4, 0x03, 0x02, 0x05, 0xE0)
	find(r.t, s)
}

// verified asks whether the card holds a PIN verified.
func (r raw) verified(ref byte) bool {
	r.t.Helper()
	response := must(r.c.Transmit(r.t.Context(), []byte{0x00, 0x20, 0x00, ref}))(r.t)
	return bytes.Equal(response, []byte{0x90, 0x00})
}

// begin begins a transaction.
func (r raw) begin() (apdu.Transaction, error) { return r.c.(apdu.Transactor).Begin(r.t.Context()) }

// foreignRig is another program on the same card: it shares nothing with the
// first but the reader.
func foreignRig(t testing.TB, r *rig) *rig {
	t.Helper()
	return rigOver(t, r.card, r.readers, &stranger{Provider: r.readers})
}

// stranger is a set of readers that shares nothing with others that use them.
type stranger struct {
	*virtual.Provider
	own apdu.SharedState
}

func (s *stranger) Shared() *apdu.SharedState { return &s.own }
