//go:build linux

package interop

import (
	"testing"
	"time"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/conformance"
	"github.com/go-cryptoki/cryptoki/internal/pcscdtest"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// restarted kills pcscd under an open Module, again and again. The next call
// works or says that the device was removed; then the card is found again.
func restarted(t *testing.T, d *pcscdtest.Daemon) {
	cycles := 4
	if thorough {
		cycles = 100
	}
	nothingLeft(t)
	inserted(t, d, virtual.New())
	p := readers(t)
	conformance.Virtual(t, p, pcscdtest.Readers[0])
	m, _ := openModule(t, p)
	for i := range cycles {
		s := sessionAgain(t, m)
		d.Kill(t)
		d.Run(t)
		quick(t, "the next call", 2*time.Second, func() {
			if i%2 == 0 {
				if _, err := s.Random(t.Context(), 8); err != nil && ckr.Of(err) != ckr.DeviceRemoved {
					t.Errorf("cycle %d: %v", i, err)
				}
				return
			}
			if _, err := m.Slots(t.Context(), false); err != nil && ckr.Of(err) != ckr.DeviceRemoved {
				t.Errorf("cycle %d: slots: %v", i, err)
			}
		})
		s.Close()
	}
}

// sessionAgain opens a session as soon as the token is there again, and logs
// the user in.
func sessionAgain(t *testing.T, m *cryptoki.Module) *session.Session {
	t.Helper()
	var s *session.Session
	pcscdtest.Eventually(t, "the token to come again", func() bool {
		slots, err := m.Slots(t.Context(), true)
		if err != nil || len(slots) == 0 {
			return false
		}
		s, err = m.OpenSession(t.Context(), slots[0].ID(), session.ReadWrite())
		return err == nil
	})
	if err := s.Login(t.Context(), token.User, token.NewPIN([]byte(userPIN))); err != nil {
		t.Fatal(err)
	}
	return s
}
