package piv_test

import (
	"testing"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/slot"
	"github.com/go-cryptoki/cryptoki/token"
)

// A card with PIV and PKCS #15 has a slot for each; both are used in turn, and
// neither's login gets lost.
func TestTwoApplicationsAreTwoTokens(t *testing.T) {
	card := virtual.New(virtual.As(virtual.MyEID500()), virtual.WithPIV(virtual.YubiKey57()))
	r := &rig{T: t, card: card}
	list := slot.NewList(virtual.Single(card), cryptoki.Drivers())
	defer list.Close()
	slots, err := list.Slots(t.Context(), true)
	r.must(err)
	if len(slots) != 2 || slots[0].ID() == slots[1].ID() {
		t.Fatalf("%d slots", len(slots))
	}
	tokens := make(map[string]token.Token)
	for _, s := range slots {
		tok, err := s.Token(t.Context())
		r.must(err)
		tokens[s.Info().Driver] = tok
	}
	files, own := tokens["pkcs15"], tokens["piv"]
	so := pin("87654321")
	r.must(files.Initialize(t.Context(), so, "files"))
	s, err := session.Open(t.Context(), files, session.ReadWrite())
	r.must(err)
	defer s.Close()
	r.must(s.Login(t.Context(), token.SO, so))
	r.must(s.InitPIN(t.Context(), pin("111111")))
	r.must(s.Logout(t.Context()))
	r.must(s.Login(t.Context(), token.User, pin("111111")))
	r.token = own
	p := r.user(adminHex)

	_, inPIV := r.generate(p, mechanism.ECKeyPairGen{}, params("P-256"), 0x01)
	_, inFiles, err := s.GenerateKeyPair(t.Context(), mechanism.ECKeyPairGen{}, onToken.With(params("P-256")), onToken)
	r.must(err)
	for range 3 {
		for _, use := range []struct {
			s   *session.Session
			key *object.Object
		}{{p, inPIV}, {s, inFiles}} {
			if _, err := use.s.Sign(t.Context(), mechanism.ECDSA{}, use.key, make([]byte, 32)); err != nil {
				t.Error(err)
			}
		}
	}
}
