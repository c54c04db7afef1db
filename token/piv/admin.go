package piv

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// managementKey reads the secret of the security officer: the bytes of the
// key, or their hexadecimal digits. The caller clears the result.
func managementKey(secret []byte) ([]byte, error) {
	if key := make([]byte, len(secret)/2); len(secret) >= 32 {
		if _, err := hex.Decode(key, secret); err == nil && keyLength(len(key)) {
			return key, nil
		}
		clear(key)
	}
	if keyLength(len(secret)) {
		return bytes.Clone(secret), nil
	}
	return nil, ckr.Newf(ckr.PINLenRange, "", "a management key has 16, 24 or 32 bytes, or twice as many hexadecimal digits")
}

func keyLength(n int) bool { return n == 16 || n == 24 || n == 32 }

// blockCipher makes the cipher of a management key.
func blockCipher(alg byte, key []byte) (cipher.Block, error) {
	if alg == algTDES {
		return des.NewTripleDESCipher(key)
	}
	return aes.NewCipher(key)
}

// adminMetadata is what the card tells of its management key: algorithm and
// touch policy. They are 0 if it does not tell.
func (a *app) adminMetadata(ctx context.Context) (alg, touch byte, err error) {
	if !a.hasMetadata() {
		return 0, 0, nil
	}
	b, err := a.do(ctx, apdu.Command{INS: insMetadata, P2: refAdmin, Le: 256})
	if err != nil {
		return 0, 0, unlessRefused(err)
	}
	if v, err := tlv.Find(b, 0x01); err == nil && len(v) == 1 {
		alg = v[0]
	}
	if v, err := tlv.Find(b, 0x02); err == nil && len(v) == 2 {
		touch = v[1]
	}
	return alg, touch, nil
}

// algorithms that a management key of a length may be of, in the order to try
// them. A card that tells leaves one.
func (a *app) algorithms(ctx context.Context, length int) ([]byte, error) {
	byLength := map[int][]byte{16: {algAES128}, 24: {algTDES, algAES192}, 32: {algAES256}}[length]
	alg, _, err := a.adminMetadata(ctx)
	if err != nil || alg == 0 {
		return byLength, err
	}
	if bytes.IndexByte(byLength, alg) < 0 {
		return nil, ckr.Newf(ckr.PINIncorrect, "", "the card's management key is not %d bytes long", length)
	}
	return []byte{alg}, nil
}

// prove shows the card that we have its management key, and lets it show that
// it has, too (SP 800-73-5 part 2 §3.2.4, mutual authentication).
func (a *app) prove(ctx context.Context, key []byte) error {
	algs, err := a.algorithms(ctx, len(key))
	if err != nil {
		return err
	}
	for i, alg := range algs {
		err = a.proveAs(ctx, alg, key)
		unknown := errors.Is(err, swP1P2) || errors.Is(err, swWrongData) || errors.Is(err, swReference) || ckr.Of(err) == ckr.MechanismInvalid
		if !unknown || i == len(algs)-1 {
			break
		}
	}
	return adminError(err)
}

// adminError gives refusals of a proof their code.
func adminError(err error) error {
	switch {
	case !refused(err):
		return err
	case errors.Is(err, apdu.SWBlocked):
		return ckr.New(ckr.PINLocked, "management key", err)
	}
	return ckr.New(ckr.PINIncorrect, "management key", err)
}

func (a *app) proveAs(ctx context.Context, alg byte, key []byte) error {
	c, err := blockCipher(alg, key)
	if err != nil {
		// The lengths are right; it is the program's mode that forbids one.
		return ckr.New(ckr.MechanismInvalid, "management key", err)
	}
	n := c.BlockSize()
	ask := apdu.Command{INS: insAuthenticate, P1: alg, P2: refAdmin, Le: 256}
	ask.Data = tlv.New(tagTemplate, tlv.New(tagWitness))
	resp, err := a.do(ctx, ask)
	if err != nil {
		return err
	}
	witness, err := tlv.Find(resp, tagTemplate, tagWitness)
	if err != nil || len(witness) != n {
		return ckr.Newf(ckr.DeviceError, "management key", "the card's witness is none")
	}
	plain, challenge, want := make([]byte, n), make([]byte, n), make([]byte, n)
	c.Decrypt(plain, witness)
	rand.Read(challenge)
	c.Encrypt(want, challenge)
	ask.Data = tlv.New(tagTemplate, tlv.New(tagWitness, plain), tlv.New(tagChallenge, challenge))
	if resp, err = a.do(ctx, ask); err != nil {
		return err
	}
	got, err := tlv.Find(resp, tagTemplate, tagResponse)
	if err != nil || subtle.ConstantTimeCompare(got, want) != 1 {
		return ckr.Newf(ckr.DeviceError, "management key", "the card does not know it")
	}
	return nil
}

func (a *app) loginAdmin(ctx context.Context, secret token.PIN) error {
	key, err := managementKey(secret.Reveal())
	if err != nil {
		return err
	}
	defer clear(key)
	return a.prove(ctx, key)
}

// logoutAdmin takes the proof back by one that fails. Other cards than
// YubiKeys might count that; they keep the proof until another application is
// selected, or the power goes.
func (a *app) logoutAdmin(ctx context.Context) error {
	if !a.yubico {
		return nil
	}
	alg, _, err := a.adminMetadata(ctx)
	if err != nil {
		return err
	}
	if alg == 0 {
		alg = algTDES
	}
	ask := apdu.Command{INS: insAuthenticate, P1: alg, P2: refAdmin, Le: 256, Data: tlv.New(tagTemplate, tlv.New(tagWitness))}
	resp, err := a.do(ctx, ask)
	if err != nil {
		return unlessRefused(err)
	}
	witness, err := tlv.Find(resp, tagTemplate, tagWitness)
	if err != nil {
		return nil
	}
	// The witness goes back as it came, which is not what it deciphers to.
	ask.Data = tlv.New(tagTemplate, tlv.New(tagWitness, witness), tlv.New(tagChallenge, witness))
	_, err = a.do(ctx, ask)
	return unlessRefused(err)
}

// giveBack gives the administrator's right back, also for a caller who was
// cancelled meanwhile.
func (a *app) giveBack(ctx context.Context) {
	ctx, done := driver.CleanupContext(ctx)
	defer done()
	a.logoutAdmin(ctx)
}

func unlessRefused(err error) error {
	if refused(err) {
		return nil
	}
	return err
}

// admit gets the right to write: it is the security officer's; others prove
// the management key that they gave, or the one that the card keeps for the
// user. The function that it returns gives the right back. Errors:
// ckr.UserNotLoggedIn if there is no key to be had.
func (a *app) admit(ctx context.Context, auth driver.Auth) (leave func(), err error) {
	if auth.SO {
		return func() {}, nil
	}
	var key []byte
	if auth.Write.IsZero() {
		key, err = a.keptKey(ctx)
	} else {
		key, err = managementKey(auth.Write.Reveal())
	}
	if err != nil {
		return nil, err
	}
	defer clear(key)
	if err := a.prove(ctx, key); err != nil {
		return nil, err
	}
	return func() { a.giveBack(ctx) }, nil
}
