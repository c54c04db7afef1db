package piv

import (
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
	"github.com/go-cryptoki/cryptoki/object"
)

// Attributes of private keys on YubiKeys, with the numbers that Yubico's own
// PKCS #11 module has for them: CKA_YUBICO_TOUCH_POLICY and
// CKA_YUBICO_PIN_POLICY. Their values are one byte. In the template of a key
// that is made or imported they say what the key will ask for; of a key that is
// there they tell it, from version 5.3 on.
var (
	AttrTouchPolicy = object.Attr[[]byte]{Type: 0xD9554201}
	AttrPINPolicy   = object.Attr[[]byte]{Type: 0xD9554202}
)

// Values of AttrPINPolicy. The last two are of YubiKeys with a fingerprint
// reader.
const (
	PINNever       byte = 1
	PINOnce        byte = 2 // once, until another application is selected
	PINAlways      byte = 3 // before each use, as CKA_ALWAYS_AUTHENTICATE
	PINMatchOnce   byte = 4
	PINMatchAlways byte = 5
)

// Values of AttrTouchPolicy.
const (
	TouchNever  byte = 1
	TouchAlways byte = 2
	TouchCached byte = 3 // one touch is enough for 15 seconds
)

// Elements of GENERATE and IMPORT that carry policies.
const (
	tagPINPolicy   tlv.Tag = 0xAA
	tagTouchPolicy tlv.Tag = 0xAB
)

// policies are the elements that a YubiKey takes for what the template wants
// beyond the slot's default.
func (b *backend) policies(s *slot, priv object.Template) ([]byte, error) {
	pin, err := policyIn(priv, AttrPINPolicy, PINMatchAlways)
	if err != nil {
		return nil, err
	}
	touch, err := policyIn(priv, AttrTouchPolicy, TouchCached)
	if err != nil {
		return nil, err
	}
	always := object.Is(priv, object.AttrAlwaysAuthenticate)
	switch {
	case !b.yubico && (pin != 0 || touch != 0):
		return nil, ckr.Newf(ckr.TemplateInconsistent, s.String(), "this card's keys have the policies of their slots")
	case !b.yubico && always && s.ref != refSignature:
		return nil, ckr.Newf(ckr.TemplateInconsistent, s.String(), "of this card's keys, 9C alone needs the PIN at each use")
	case pin == 0 && always && s.ref != refSignature:
		pin = PINAlways
	case pin == 0 && b.yubico && s.ref == refCardAuth && object.Is(priv, object.AttrPrivate):
		pin = PINOnce
	}
	will := slot{place: s.place, pin: pin}
	known := b.locked(kindKey, s, nil).Known.With(object.AttrPrivate.Is(will.private()), object.AttrAlwaysAuthenticate.Is(will.alwaysAuthenticate()))
	if err := holds(priv, known, object.AttrPrivate, object.AttrSensitive, object.AttrExtractable); err != nil {
		return nil, err
	}
	if always && !will.alwaysAuthenticate() {
		return nil, ckr.Newf(ckr.TemplateInconsistent, s.String(), "the PIN policy is not to ask at each use")
	}
	var more []byte
	if pin != 0 {
		more = tlv.Append(more, tagPINPolicy, []byte{pin})
	}
	if touch != 0 {
		more = tlv.Append(more, tagTouchPolicy, []byte{touch})
	}
	return more, nil
}

// policyIn reads a policy from a template, 0 if it has none. A value may have
// the length of a CK_ULONG, as programs in C have it.
func policyIn(t object.Template, attr object.Attr[[]byte], most byte) (byte, error) {
	v, given := object.In(t, attr)
	if !given {
		return 0, nil
	}
	var p byte
	for _, x := range v {
		if p != 0 && x != 0 {
			p = 0
			break
		}
		p |= x
	}
	if p == 0 || p > most {
		return 0, ckr.Newf(ckr.AttributeValueInvalid, "", "%v has no such policy", attr.Type)
	}
	return p, nil
}

// policyAttrs are the policies of a key, as far as the card tells them.
func (s *slot) policyAttrs() (t object.Template) {
	if s.pin != 0 {
		t = append(t, AttrPINPolicy.Is([]byte{s.pin}))
	}
	if s.touch != 0 {
		t = append(t, AttrTouchPolicy.Is([]byte{s.touch}))
	}
	return t
}
