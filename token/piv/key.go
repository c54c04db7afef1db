package piv

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// Algorithm identifiers, SP 800-78-5 table 11, and Yubico's.
const (
	algTDES    = 0x03
	algRSA3072 = 0x05
	algRSA1024 = 0x06
	algRSA2048 = 0x07
	algAES128  = 0x08
	algAES192  = 0x0A
	algAES256  = 0x0C
	algP256    = 0x11
	algP384    = 0x14
	algRSA4096 = 0x16
	algEd25519 = 0xE0
	algX25519  = 0xE1
)

// rsaBits is the length of the modulus that an identifier stands for, or 0.
func rsaBits(alg byte) int {
	switch alg {
	case algRSA1024:
		return 1024
	case algRSA2048:
		return 2048
	case algRSA3072:
		return 3072
	case algRSA4096:
		return 4096
	}
	return 0
}

// algorithmOf is the identifier for keys like a public key, or 0 if there is
// none.
func algorithmOf(pub crypto.PublicKey) byte {
	switch p := pub.(type) {
	case *rsa.PublicKey:
		for _, alg := range []byte{algRSA1024, algRSA2048, algRSA3072, algRSA4096} {
			if p.N.BitLen() == rsaBits(alg) {
				return alg
			}
		}
	case *ecdsa.PublicKey:
		switch p.Curve {
		case elliptic.P256():
			return algP256
		case elliptic.P384():
			return algP384
		}
	case ed25519.PublicKey:
		return algEd25519
	case *ecdh.PublicKey:
		if p.Curve() == ecdh.X25519() {
			return algX25519
		}
	}
	return 0
}

var errPublic = errors.New("not a public key of its algorithm")

// parsePublic reads the content of the template 7F49, SP 800-73-5 part 2
// table 10.
func parsePublic(alg byte, b []byte) (crypto.PublicKey, error) {
	if bits := rsaBits(alg); bits > 0 {
		n, err := tlv.Find(b, 0x81)
		if err != nil {
			return nil, err
		}
		e, err := tlv.Find(b, 0x82)
		if err != nil {
			return nil, err
		}
		x := new(big.Int).SetBytes(e)
		pub := &rsa.PublicKey{N: new(big.Int).SetBytes(n)}
		if pub.N.BitLen() != bits || !x.IsInt64() || x.Int64() < 3 || x.Int64() > 1<<31-1 {
			return nil, errPublic
		}
		pub.E = int(x.Int64())
		return pub, nil
	}
	point, err := tlv.Find(b, 0x86)
	if err != nil {
		return nil, err
	}
	switch alg {
	case algP256:
		return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	case algP384:
		return ecdsa.ParseUncompressedPublicKey(elliptic.P384(), point)
	case algX25519:
		return ecdh.X25519().NewPublicKey(point)
	case algEd25519:
		if len(point) == ed25519.PublicKeySize {
			return ed25519.PublicKey(point), nil
		}
	}
	return nil, errPublic
}

// slot is what is known of a key slot. All is guarded by the app's mu, and
// written within a unit.
type slot struct {
	*place
	fresh bool // it was looked at since the listing

	// Another key, or another certificate, in the slot is another object: its
	// Refs have the next number.
	keyCount, certCount int
	held                crypto.PublicKey // of the key that keyCount stands for; nil: not known
	heldAlg             byte             // its algorithm; 0: not known
	heldCert            []byte           // the certificate that certCount stands for; nil: not known

	present   bool // there is a key, as far as can be told
	alg       byte // 0: not known
	pub       crypto.PublicKey
	certPub   crypto.PublicKey // of the certificate
	pin       byte             // policies of a YubiKey; 0: not known
	touch     byte
	generated bool
	imported  bool
	made      bool // by us, though it may have no certificate yet
	ours      bool // we have written here, whatever the key history says

	certKnown bool // cert and certErr are as the card has it
	cert      []byte
	certErr   error
	certThere bool

	tested bool // since others used the card, the key was seen to be that of pub
	able   abilities
}

// holds notes the key that a look has found, whose public half is nil where the
// card does not tell it. The caller holds mu.
func (s *slot) holds(alg byte, pub crypto.PublicKey) {
	other := s.heldAlg != 0 && alg != 0 && s.heldAlg != alg
	if s.held != nil && pub != nil && !same(s.held, pub) {
		other = true
	}
	if other {
		s.keyCount++
		s.held = nil
	}
	if other || alg != s.alg || pub != nil && !same(s.pub, pub) {
		s.able, s.tested = nil, false
		s.pub = nil
	}
	s.alg = alg
	if alg != 0 {
		s.heldAlg = alg
	}
	if pub != nil {
		s.pub, s.held = pub, pub
	}
}

// holdsCertificate notes the certificate that the slot has, nil for none. The
// caller holds mu.
func (s *slot) holdsCertificate(der []byte) {
	if s.heldCert != nil && !bytes.Equal(s.heldCert, der) {
		s.certCount++
	}
	s.heldCert = der
}

// alwaysAuthenticate tells whether each use needs the PIN.
func (s *slot) alwaysAuthenticate() bool {
	if s.pin == 0 {
		return s.ref == refSignature
	}
	return s.pin == PINAlways || s.pin == PINMatchAlways
}

// private reports whether the key exists for the user only: it is usable by
// nobody else. A key whose policy is to need no PIN is usable by everybody, and
// so is the card authentication key unless its policy says otherwise.
func (s *slot) private() bool {
	if s.pin == 0 {
		return s.ref != refCardAuth
	}
	return s.pin != PINNever
}

// hasMetadata tells whether the card tells of its keys. Some that call
// themselves YubiKeys of that version do not.
func (a *app) hasMetadata() bool { return a.atLeast(5, 3) && !a.silent }

// look finds out whether there is a key in a slot: from the metadata, from the
// certificate that it would have, or from an attestation.
func (a *app) look(ctx context.Context, s *slot) error {
	if s.fresh {
		return nil
	}
	if a.hasMetadata() {
		if err := a.readMetadata(ctx, s); err != nil || !a.silent {
			return err
		}
	}
	there, err := a.hasCertificate(ctx, s)
	if err != nil {
		return err
	}
	if !there && !s.made && a.atLeast(4, 3) && s.ref != refAttestation {
		return a.readAttested(ctx, s)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !there && !s.made {
		s.empty()
		return nil
	}
	s.present, s.fresh = true, true
	return nil
}

// hasCertificate tells whether there is a certificate object.
func (a *app) hasCertificate(ctx context.Context, s *slot) (bool, error) {
	if s.certKnown {
		return s.certThere, nil
	}
	there, err := a.present(ctx, s.tag)
	if err != nil {
		return false, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s.certThere = there
	if !there {
		s.certKnown, s.cert, s.certErr, s.certPub = true, nil, nil, nil
		s.holdsCertificate(nil)
	}
	return there, nil
}

// fetchCertificate is hasCertificate for somebody who will ask for its content
// next. A damaged one is there all the same.
func (a *app) fetchCertificate(ctx context.Context, s *slot) (bool, error) {
	_, err := a.readCertificate(ctx, s)
	if s.certErr != nil {
		return true, nil
	}
	if ckr.Of(err) == ckr.ObjectHandleInvalid {
		return false, nil
	}
	return err == nil, err
}

// hasPublic tells whether a public key is known, or at least a certificate
// that should tell one.
func (a *app) hasPublic(ctx context.Context, s *slot) (bool, error) {
	if !a.hasMetadata() {
		if there, err := a.fetchCertificate(ctx, s); err != nil || there {
			return there, err
		}
	}
	if err := a.look(ctx, s); err != nil {
		return false, err
	}
	return s.present && s.pub != nil, nil
}

// readMetadata asks for a key's algorithm, policies, origin and public key.
func (a *app) readMetadata(ctx context.Context, s *slot) error {
	b, err := a.do(ctx, apdu.Command{INS: insMetadata, P2: s.ref, Le: whole})
	a.mu.Lock()
	defer a.mu.Unlock()
	if errors.Is(err, apdu.SWINSNotSupported) {
		a.silent = true
		return nil
	}
	if refused(err) {
		s.empty()
		return nil
	}
	if err != nil {
		return err
	}
	s.present, s.fresh = true, true
	var alg byte
	var point []byte
	for e, err := range tlv.Parse(b) {
		if err != nil {
			return ckr.New(ckr.DeviceError, "metadata", err)
		}
		v := e.Value
		switch {
		case e.Tag == 0x01 && len(v) == 1:
			alg = v[0]
		case e.Tag == 0x02 && len(v) == 2:
			s.pin, s.touch = v[0], v[1]
		case e.Tag == 0x03 && len(v) == 1:
			s.generated, s.imported = v[0] == 1, v[0] == 2
		case e.Tag == 0x04:
			point = v
		}
	}
	pub, err := parsePublic(alg, point)
	if err != nil {
		pub = nil
	}
	s.holds(alg, pub)
	s.tested = s.tested || pub != nil // the card tells of the key itself
	return nil
}

// empty notes that there is no key. The caller holds mu.
func (s *slot) empty() {
	if s.present || s.heldAlg != 0 || s.held != nil {
		s.keyCount++
		s.held, s.heldAlg = nil, 0
	}
	s.present, s.fresh = false, true
	s.alg, s.pub, s.able, s.tested, s.pin, s.touch = 0, nil, nil, false, 0, 0
	s.generated, s.imported, s.made = false, false, false
}

// readAttested takes the public key from an attestation, which only a
// generated key has.
func (a *app) readAttested(ctx context.Context, s *slot) error {
	der, err := a.do(ctx, apdu.Command{INS: insAttest, P1: s.ref, Le: whole})
	a.mu.Lock()
	defer a.mu.Unlock()
	if refused(err) {
		s.empty()
		return nil
	}
	if err != nil {
		return err
	}
	s.present, s.fresh, s.generated = true, true, true
	if c, err := x509.ParseCertificate(der); err == nil {
		s.holds(algorithmOf(c.PublicKey), c.PublicKey)
		s.tested = true // the card tells of the key itself
	}
	return nil
}

// readCertificate reads the certificate of a slot, and its public key.
func (a *app) readCertificate(ctx context.Context, s *slot) ([]byte, error) {
	if s.certKnown && (s.cert != nil || s.certErr != nil) {
		return s.cert, s.certErr
	}
	raw, err := a.getData(ctx, s.tag, whole)
	if errors.Is(err, swNotFound) || errors.Is(err, swReference) {
		a.mu.Lock()
		defer a.mu.Unlock()
		s.certKnown, s.certThere, s.cert, s.certErr, s.certPub = true, false, nil, nil, nil
		s.holdsCertificate(nil)
		return nil, ckr.New(ckr.ObjectHandleInvalid, "", err)
	}
	if err != nil {
		return nil, err
	}
	der, err := unwrapCertificate(raw)
	a.mu.Lock()
	defer a.mu.Unlock()
	s.certKnown, s.certThere, s.cert, s.certErr, s.certPub = true, true, der, err, nil
	if err != nil {
		s.holdsCertificate(raw)
		return nil, err
	}
	s.holdsCertificate(der)
	if c, err := x509.ParseCertificate(der); err == nil {
		s.certPub = c.PublicKey
	}
	return der, nil
}

// public finds the public key of a slot's key: from metadata or attestation,
// else from the certificate, which is all that the standard has for it. It is
// nil if nothing tells it.
func (a *app) public(ctx context.Context, s *slot) (crypto.PublicKey, error) {
	if err := a.look(ctx, s); err != nil {
		return nil, err
	}
	if !s.present || a.hasMetadata() {
		return s.pub, nil
	}
	if there, err := a.hasCertificate(ctx, s); err != nil || !there {
		return s.pub, err
	}
	if _, err := a.readCertificate(ctx, s); err != nil {
		if s.certErr != nil {
			return nil, nil // a damaged certificate tells nothing of the key
		}
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.certPub != nil {
		s.holds(algorithmOf(s.certPub), s.certPub)
	}
	return s.pub, nil
}
