package piv

import (
	"bytes"
	"context"
	"crypto"
	"math/big"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// GenerateKeyPair has the card make a key pair in the slot that CKA_ID names,
// or in the first empty one that suits (GENERATE ASYMMETRIC KEY PAIR, SP
// 800-73-5 part 2 §3.3.2).
func (b *backend) GenerateKeyPair(ctx context.Context, m mechanism.Mechanism, pub, priv object.Template, auth driver.Auth) (pr, sr driver.Record, err error) {
	alg, err := b.algorithm(m, pub)
	if err != nil {
		return pr, sr, err
	}
	s, err := b.target(ctx, alg, priv, pub)
	if err != nil {
		return pr, sr, err
	}
	if err := holds(pub, b.locked(kindPublic, s, nil).Known, object.AttrPrivate); err != nil {
		return pr, sr, err
	}
	policy, err := b.policies(s, priv)
	if err != nil {
		return pr, sr, err
	}
	key, err := b.generate(ctx, s, alg, policy, auth)
	if err != nil {
		return pr, sr, err
	}
	if err := b.holdsKey(ctx, s, alg, key, true); err != nil {
		return pr, sr, err
	}
	pr, sr = b.locked(kindPublic, s, nil), b.locked(kindKey, s, nil)
	if !object.Is(pub, object.AttrToken) {
		view, err := publicView(s.pub)
		if err != nil {
			return pr, sr, err
		}
		return driver.Record{Known: pub.With(view...)}, sr, nil
	}
	return pr, sr, nil
}

// GenerateKey is not what these cards do.
func (b *backend) GenerateKey(context.Context, mechanism.Mechanism, object.Template, driver.Auth) (driver.Record, error) {
	return driver.Record{}, ckr.New(ckr.MechanismInvalid, "", nil)
}

// algorithm is the identifier of the keys that a mechanism makes.
func (a *app) algorithm(m mechanism.Mechanism, pub object.Template) (byte, error) {
	most := int(a.able()[mechanism.TypeRSAPKCSKeyPairGen].MaxKeySize)
	switch m.Type() {
	case mechanism.TypeRSAPKCSKeyPairGen:
		n, _ := object.In(pub, object.AttrModulusBits)
		if e, ok := object.In(pub, object.AttrPublicExponent); ok && e.Cmp(big.NewInt(65537)) != 0 {
			return 0, ckr.Newf(ckr.AttributeValueInvalid, "", "the card makes keys with the public exponent 65537")
		}
		for _, alg := range []byte{algRSA1024, algRSA2048, algRSA3072, algRSA4096} {
			if rsaBits(alg) == int(min(n, 1<<20)) && rsaBits(alg) <= most {
				return alg, nil
			}
		}
		return 0, ckr.Newf(ckr.KeySizeRange, "", "the card has RSA keys of 1024 to %d bits", most)
	case mechanism.TypeECKeyPairGen, mechanism.TypeECEdwardsKeyPairGen, mechanism.TypeECMontgomeryKeyPairGen:
		params, _ := object.In(pub, object.AttrECParams)
		return a.curveAlgorithm(params)
	}
	return 0, ckr.New(ckr.MechanismInvalid, "", nil)
}

// curveAlgorithm is the identifier for a curve that the card has.
func (a *app) curveAlgorithm(params []byte) (byte, error) {
	c, err := object.CurveOf(params)
	if err != nil {
		return 0, err
	}
	alg, ok := map[string]byte{
		"secp256r1": algP256, "secp384r1": algP384, "edwards25519": algEd25519, "curve25519": algX25519,
	}[c.Name]
	if !ok || (alg == algEd25519 || alg == algX25519) && !a.atLeast(5, 7) {
		return 0, ckr.Newf(ckr.CurveNotSupported, "", "the card does not have this curve")
	}
	return alg, nil
}

// target finds the slot for a new key. A slot that has one is not written
// over.
func (b *backend) target(ctx context.Context, alg byte, templates ...object.Template) (*slot, error) {
	for _, t := range templates {
		s, err := b.byID(t)
		if err != nil {
			return nil, err
		}
		if s != nil {
			return s, b.vacant(ctx, s)
		}
	}
	for _, ref := range b.candidates(alg, templates[0]) {
		b.mu.Lock()
		s := b.slots[ref]
		b.mu.Unlock()
		if s == nil {
			continue
		}
		err := b.vacant(ctx, s)
		if err == nil || ckr.Of(err) != ckr.TemplateInconsistent {
			return s, err
		}
	}
	return nil, ckr.Newf(ckr.DeviceMemory, "", "no suitable slot is empty")
}

// candidates are the slots for a key whose template names none.
func (b *backend) candidates(alg byte, priv object.Template) []byte {
	agrees := alg == algX25519 || object.Is(priv, object.AttrDerive) && !object.Is(priv, object.AttrSign)
	switch {
	case object.Is(priv, object.AttrAlwaysAuthenticate):
		return []byte{refSignature}
	case agrees && b.yubico:
		list := []byte{refKeyMgmt}
		for n := range byte(retiredKeys) {
			list = append(list, firstRetired+n)
		}
		return list
	case agrees:
		return []byte{refKeyMgmt}
	}
	return []byte{0x9A, refKeyMgmt}
}

// vacant checks that a slot has no key, as far as the card tells.
func (b *backend) vacant(ctx context.Context, s *slot) error {
	b.mu.Lock()
	s.fresh, s.certKnown = false, false
	b.mu.Unlock()
	if err := b.look(ctx, s); err != nil {
		return err
	}
	if s.present {
		return ckr.Newf(ckr.TemplateInconsistent, s.String(), "the slot has a key or certificate, which goes first")
	}
	if s.retired() && !b.yubico {
		return ckr.Newf(ckr.TemplateInconsistent, s.String(), "this slot's keys are put there by the card's issuer")
	}
	return nil
}

// generate makes the key and returns its public half.
func (b *backend) generate(ctx context.Context, s *slot, alg byte, policy []byte, auth driver.Auth) (crypto.PublicKey, error) {
	leave, err := b.admit(ctx, auth)
	if err != nil {
		return nil, err
	}
	defer leave()
	if rsaBits(alg) > 1024 {
		if err := b.expectLong(ctx); err != nil {
			return nil, err
		}
	}
	inner := append(tlv.New(0x80, []byte{alg}), policy...)
	resp, err := b.do(ctx, apdu.Command{INS: insGenerate, P2: s.ref, Data: tlv.New(0xAC, inner), Le: whole})
	if err != nil {
		return nil, err
	}
	v, err := tlv.Find(resp, 0x7F49)
	if err != nil {
		return nil, nil // made, but not told
	}
	pub, err := parsePublic(alg, v)
	if err != nil {
		return nil, ckr.New(ckr.DeviceError, s.String(), err)
	}
	return pub, nil
}

// holdsKey notes a new key, and asks the card for what it did not tell.
func (b *backend) holdsKey(ctx context.Context, s *slot, alg byte, pub crypto.PublicKey, generated bool) error {
	b.mu.Lock()
	s.empty()
	s.holds(alg, pub)
	s.present, s.made, s.ours, s.generated, s.imported = true, true, true, generated, !generated
	s.fresh = !b.hasMetadata()
	b.mu.Unlock()
	if err := b.look(ctx, s); err != nil {
		return err
	}
	if s.pub == nil && b.atLeast(4, 3) && generated {
		if err := b.readAttested(ctx, s); err != nil {
			return err
		}
	}
	if s.pub == nil {
		return ckr.Newf(ckr.DeviceError, s.String(), "the card has made a key and does not tell its public half")
	}
	return nil
}

// storeKey imports a private key (Yubico's IMPORT ASYMMETRIC KEY).
func (b *backend) storeKey(ctx context.Context, t object.Template, auth driver.Auth) (driver.Record, error) {
	if !b.yubico {
		return driver.Record{}, ckr.Newf(ckr.TemplateInconsistent, "", "keys of this card are imported by its issuer")
	}
	k, err := b.imported(t)
	if err != nil {
		return driver.Record{}, err
	}
	defer clear(k.parts)
	s, err := b.target(ctx, k.alg, t)
	if err != nil {
		return driver.Record{}, err
	}
	policy, err := b.policies(s, t)
	if err != nil {
		return driver.Record{}, err
	}
	leave, err := b.admit(ctx, auth)
	if err != nil {
		return driver.Record{}, err
	}
	defer leave()
	data := bytes.Join([][]byte{k.parts, policy}, nil)
	defer clear(data)
	if _, err := b.do(ctx, apdu.Command{INS: insImport, P1: k.alg, P2: s.ref, Data: data}); err != nil {
		return driver.Record{}, err
	}
	if err := b.holdsKey(ctx, s, k.alg, k.pub, false); err != nil {
		return driver.Record{}, err
	}
	return b.locked(kindKey, s, nil), nil
}
