//go:build linux

package interop

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/conformance"
	"github.com/go-cryptoki/cryptoki/internal/pcscdtest"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// crowded shares two cards, one that pkcs15-init made and one of ours, with
// pkcs11-tool, scdaemon, and a program that resets them. Nothing of ours fails
// but what a reset takes from us: the login, which is said so and got again.
func crowded(t *testing.T, d *pcscdtest.Daemon) {
	duration := 6 * time.Second
	if thorough {
		duration = time.Minute
	}
	inserted(t, d, virtual.New())
	run(t, "pkcs15-init", "--create-pkcs15", "--label", "theirs", "--so-pin", soPIN, "--so-puk", soPIN)
	run(t, "pkcs15-init", "--store-pin", "--auth-id", "01", "--label", "PIN", "--pin", userPIN, "--puk", userPUK, "--so-pin", soPIN)
	run(t, "pkcs15-init", "--generate-key", "ec/prime256v1", "--key-usage", "sign", "--id", "02", "--label", "ec", "--auth-id", "01", "--pin", userPIN)
	ours, s := initialised(t)
	generate(t, s, "ec", 2, mechanism.ECKeyPairGen{}, object.AttrECParams.Is(p256))
	d.Plug(t, 1, ours)

	m, _ := openModule(t, readers(t))
	pcscdtest.Eventually(t, "both tokens", func() bool {
		slots, err := m.Slots(t.Context(), true)
		return err == nil && len(slots) == 2
	})
	ctx, cancel := context.WithTimeout(t.Context(), duration)
	defer cancel()
	var crowd sync.WaitGroup
	for i, reader := range pcscdtest.Readers {
		var signed, resets atomic.Int64
		u := &holder{T: t, tok: conformance.TokenIn(t, m, reader)}
		crowd.Go(func() { u.work(ctx) })
		crowd.Go(func() { signWithOpenSC(ctx, t, i, &signed) })
		crowd.Go(func() { askWithScdaemon(ctx, t, reader) })
		crowd.Go(func() { resetNowAndThen(ctx, i, &resets) })
		t.Cleanup(func() {
			t.Logf("%s: %d of our signatures, %d logins lost and got again, %d signatures of pkcs11-tool, %d resets",
				reader, u.signed, u.lost, signed.Load(), resets.Load())
			if u.signed < 10 || u.lost == 0 || signed.Load() == 0 || resets.Load() == 0 {
				t.Error("that is not much")
			}
		})
	}
	crowd.Wait()
}

// signWithOpenSC has pkcs11-tool log in and sign. That it may fail when the
// card is reset under it is its own affair.
func signWithOpenSC(ctx context.Context, t *testing.T, slot int, done *atomic.Int64) {
	dir := t.TempDir()
	in := filepath.Join(dir, "hash")
	if err := os.WriteFile(in, make([]byte, 32), 0o600); err != nil {
		t.Error(err)
	}
	for ctx.Err() == nil {
		cmd := exec.CommandContext(ctx, "pkcs11-tool", "--slot-index", strconv.Itoa(slot), "--login", "--pin", userPIN,
			"--sign", "--id", "02", "-m", "ECDSA", "-i", in, "-o", filepath.Join(dir, "sig"))
		if cmd.Run() == nil {
			done.Add(1)
		}
	}
}

// askWithScdaemon has GnuPG's daemon look at the card over and over. It looks
// for applications of its own, and so selects others than ours.
func askWithScdaemon(ctx context.Context, t *testing.T, reader string) {
	home := t.TempDir()
	config := fmt.Sprintf("pcsc-shared\ndisable-ccid\nreader-port \"%s\"\n", reader)
	if err := os.WriteFile(filepath.Join(home, "scdaemon.conf"), []byte(config), 0o600); err != nil {
		t.Error(err)
	}
	for ctx.Err() == nil {
		short, cancel := context.WithTimeout(ctx, 10*time.Second)
		cmd := exec.CommandContext(short, scdaemon, "--server", "--homedir", home)
		in, _ := cmd.StdinPipe()
		if err := cmd.Start(); err != nil {
			t.Error(err)
		}
		for range 20 {
			if _, err := io.WriteString(in, "SERIALNO\nLEARN --force\nSERIALNO openpgp\nRESTART\n"); err != nil {
				break
			}
			pause(short, 100*time.Millisecond)
		}
		io.WriteString(in, "BYE\n")
		cmd.Wait()
		cancel()
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func resetNowAndThen(ctx context.Context, reader int, done *atomic.Int64) {
	for {
		pause(ctx, 1500*time.Millisecond)
		if ctx.Err() != nil {
			return
		}
		if exec.CommandContext(ctx, "opensc-tool", "--reader", strconv.Itoa(reader), "--reset").Run() == nil {
			done.Add(1)
		}
	}
}

// holder is a holder of the card who uses this library.
type holder struct {
	*testing.T
	tok    token.Token
	signed int
	lost   int
}

func (u *holder) work(ctx context.Context) {
	s, err := session.Open(u.Context(), u.tok, session.ReadWrite())
	if err != nil {
		u.Error(err)
		return
	}
	defer s.Close()
	for ctx.Err() == nil {
		if err := u.sign(s); err != nil {
			u.Error(err)
			return
		}
	}
}

// sign signs once. A login that a reset took is got again; that is the only
// error that is put up with. The handle of a private object goes with it.
func (u *holder) sign(s *session.Session) error {
	ctx := u.Context()
	for range 5 {
		err := u.attempt(ctx, s)
		switch ckr.Of(err) {
		case ckr.UserNotLoggedIn, ckr.ObjectHandleInvalid, ckr.KeyHandleInvalid:
		default:
			return err
		}
		u.lost++
		info, stateErr := s.Info()
		if stateErr != nil {
			return stateErr
		}
		if info.State != token.RWPublic {
			return fmt.Errorf("in state %v: %w", info.State, err)
		}
	}
	return errors.New("five logins lost in a row")
}

func (u *holder) attempt(ctx context.Context, s *session.Session) error {
	if info, err := s.Info(); err != nil {
		return err
	} else if info.State == token.RWPublic {
		if err := s.Login(ctx, token.User, token.NewPIN([]byte(userPIN))); err != nil {
			return fmt.Errorf("log in: %w", err)
		}
	}
	var priv *object.Object
	for o, err := range s.Find(ctx, object.AttrClass.Is(object.ClassPrivateKey)) {
		if err != nil {
			return fmt.Errorf("find: %w", err)
		}
		priv = o
	}
	if priv == nil {
		// Gone with the login, between this call and that.
		return ckr.New(ckr.UserNotLoggedIn, "find", nil)
	}
	key, err := s.Key(ctx, priv)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	digest := sha256.Sum256([]byte(fmt.Sprint(u.signed)))
	sig, err := key.SignContext(ctx, digest[:], crypto.SHA256)
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	if !ecdsa.VerifyASN1(key.Public().(*ecdsa.PublicKey), digest[:], sig) {
		return errors.New("the signature does not verify")
	}
	u.signed++
	return nil
}
