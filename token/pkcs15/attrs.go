package pkcs15

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math"
	"math/big"
	"slices"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/fingerprint"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// known is what the directories and the side file tell of an object.
func (a *app) known(e *entry) object.Template {
	return a.fromEntry(e).With(e.side...)
}

// fromEntry is what a directory tells. Where PKCS #15 says nothing, the
// standard's defaults stand.
func (a *app) fromEntry(e *entry) object.Template {
	class := dirClass[e.dir.kind]
	t := object.Template{
		object.AttrClass.Is(class),
		object.AttrToken.Is(true),
		object.AttrPrivate.Is(e.private()),
		object.AttrModifiable.Is(e.flags.has(flagModifiable)),
		object.AttrCopyable.Is(true),
		object.AttrDestroyable.Is(true),
		object.AttrLabel.Is(text([]byte(e.label))),
		object.AttrUniqueID.Is(a.serial() + "-" + string(e.ref())),
	}
	switch class {
	case object.ClassData:
		return append(t, object.AttrApplication.Is(text([]byte(e.app))), object.AttrObjectID.Is(e.oid))
	case object.ClassCertificate:
		return append(t,
			object.AttrCertificateType.Is(object.CertificateX509),
			object.AttrID.Is(e.id),
			object.AttrTrusted.Is(e.ca || e.dir.kind == dirCertsTrusted),
			object.AttrCertificateCategory.Is(object.CertificateCategoryUnspecified),
			object.AttrJavaMIDPSecurityDomain.Is(object.SecurityDomainUnspecified),
			object.AttrStartDate.Is(object.Date{}), object.AttrEndDate.Is(object.Date{}))
	}
	return a.fromKey(t, e, class)
}

// fromKey adds what a directory tells of a key.
func (a *app) fromKey(t object.Template, e *entry, class object.Class) object.Template {
	t = append(t,
		object.AttrKeyType.Is(a.keyType(e)),
		object.AttrID.Is(e.id),
		object.AttrStartDate.Is(object.Date{}), object.AttrEndDate.Is(object.Date{}),
		object.AttrLocal.Is(e.access.has(4)),
		object.AttrKeyGenMechanism.Is(mechanism.Unavailable),
		object.AttrDerive.Is(e.usage.has(8)))
	for i, attr := range usageAttrs {
		on := e.usage.has(uint(i)) || attr == object.AttrSign && e.usage.has(nonRepudiation)
		if _, known := object.Rules(class, uint64(a.keyType(e))).Lookup(attr.Type); known && attr != object.AttrDerive {
			t = append(t, attr.Is(on))
		}
	}
	switch class {
	case object.ClassPublicKey:
		t = append(t, object.AttrEncapsulate.Is(false), object.AttrSubject.Is(nil))
	case object.ClassPrivateKey:
		t = append(t, object.AttrDecapsulate.Is(false), object.AttrSubject.Is(nil))
	}
	switch class {
	case object.ClassPublicKey:
		t = append(t, object.AttrTrusted.Is(e.dir.kind == dirPublicTrust))
		if e.bits > 0 && a.keyType(e) == object.KeyRSA {
			t = append(t, object.AttrModulusBits.Is(uint64(e.bits)))
		}
		return t
	case object.ClassPrivateKey:
		t = append(t, object.AttrAlwaysAuthenticate.Is(e.consent > 0), object.AttrWrapWithTrusted.Is(false))
		if params := curveParams(e.bits); a.keyType(e) == object.KeyEC && params != nil {
			t = append(t, object.AttrECParams.Is(params))
		}
	case object.ClassSecretKey:
		t = append(t, object.AttrTrusted.Is(false), object.AttrWrapWithTrusted.Is(false))
		if e.bits > 0 {
			t = append(t, object.AttrValueLen.Is(uint64(e.bits/8)))
		}
	}
	// Values of such keys do not leave the card, whatever the flags say.
	t = append(t, object.AttrSensitive.Is(true))
	for i, attr := range accessAttrs {
		if attr != object.AttrSensitive && attr != object.AttrLocal {
			t = append(t, attr.Is(e.access.has(uint(i))))
		}
	}
	return t
}

// keyType is the key type that the choice of an entry stands for.
func (a *app) keyType(e *entry) object.KeyType {
	if kt, ok := object.In(e.side, object.AttrKeyType); ok {
		return kt
	}
	if dirClass[e.dir.kind] == object.ClassSecretKey {
		return a.secretType(e)
	}
	switch e.node.Tag {
	case tagSeq:
		return object.KeyRSA
	case tagContext:
		return object.KeyEC
	case tagContext + 1:
		return object.KeyX9_42DH
	case tagContext + 2:
		return object.KeyDSA
	}
	return object.KeyVendorDefined
}

func (a *app) secretType(e *entry) object.KeyType {
	switch e.node.Tag {
	case tagContext + 2:
		return object.KeyDES
	case tagContext + 3:
		return object.KeyDES2
	case tagContext + 4:
		return object.KeyDES3
	}
	for _, ref := range e.algs {
		for _, alg := range a.info.algorithms {
			if alg.ref == ref && (alg.mechanism == int(mechanism.TypeAESECB) || alg.mechanism == int(mechanism.TypeAESCBC)) {
				return object.KeyAES
			}
		}
	}
	return object.KeyGenericSecret
}

// Read reads what the directories do not tell: the value of certificates, data
// and public keys, and for a private key its public key.
func (b *backend) Read(ctx context.Context, ref driver.Ref, types ...object.Type) (object.Template, error) {
	e, err := b.entry(ref)
	if err != nil {
		return nil, err
	}
	a := b.app
	known := a.known(e)
	if len(types) > 0 && !lacksAny(known, types) {
		return pick(known, types), nil
	}
	var more object.Template
	switch dirClass[e.dir.kind] {
	case object.ClassSecretKey:
		if slices.Contains(types, object.AttrCheckValue.Type) && a.keyType(e) == object.KeyAES {
			more, err = a.checkValue(ctx, e)
		}
	case object.ClassData:
		var v []byte
		if v, err = a.value(ctx, e); err == nil {
			more = object.Template{object.AttrValue.Is(v)}
		}
	case object.ClassCertificate:
		more, err = a.certificate(ctx, e)
	case object.ClassPublicKey:
		more, err = a.publicKey(ctx, e)
	case object.ClassPrivateKey:
		more, err = a.publicHalf(ctx, e)
	}
	if err != nil {
		return nil, why(string(e.label), err)
	}
	// What the side file holds was said by the object's maker.
	all := a.fromEntry(e).With(more...).With(e.side...)
	if len(types) == 0 {
		return all, nil
	}
	return pick(all, types), nil
}

// checkValue is the key check value of an AES key: the beginning of a block of
// zeros that the card encrypts. The user is logged in. A key that may not encrypt
// has none.
func (a *app) checkValue(ctx context.Context, e *entry) (object.Template, error) {
	block, err := a.cipher(ctx, e, mechanism.AESECB{}, make([]byte, 16), true)
	if refused(err) {
		return nil, nil
	}
	if err != nil || len(block) < 3 {
		return nil, err
	}
	return object.Template{object.AttrCheckValue.Is(block[:3])}, nil
}

func lacksAny(t object.Template, types []object.Type) bool {
	for _, x := range types {
		if !t.Has(x) {
			return true
		}
	}
	return false
}

func pick(t object.Template, types []object.Type) (out object.Template) {
	for _, x := range types {
		if v, ok := t.Lookup(x); ok {
			out = append(out, v)
		}
	}
	return out
}

// value is the content of an object's file, or the part that its path means.
func (a *app) value(ctx context.Context, e *entry) ([]byte, error) {
	if e.direct != nil {
		return e.direct, nil
	}
	if len(e.path.file) == 0 {
		return nil, ckr.Newf(ckr.DeviceError, "", "the object has no file")
	}
	if e.path.window && e.path.length == 0 {
		return []byte{}, nil
	}
	b, _, err := a.readFile(ctx, e.path.file, func(b []byte) bool {
		return e.path.window && len(b) >= e.path.index+e.path.length
	})
	if err != nil {
		return nil, err
	}
	return e.path.cut(b)
}

// certificate reads a certificate and what stands in it. One that crypto/x509
// does not understand still has its value.
func (a *app) certificate(ctx context.Context, e *entry) (object.Template, error) {
	v, err := a.value(ctx, e)
	if err != nil {
		return nil, err
	}
	if el, _, err := tlv.Next(v); err == nil {
		v = el.Raw // the file may be longer
	}
	t := object.Template{object.AttrValue.Is(v)}
	c, err := x509.ParseCertificate(v)
	if err != nil {
		return t, nil
	}
	return append(t,
		object.AttrSubject.Is(c.RawSubject), object.AttrIssuer.Is(c.RawIssuer),
		object.AttrSerialNumber.Is(serialDER(c.SerialNumber)),
		object.AttrPublicKeyInfo.Is(c.RawSubjectPublicKeyInfo)), nil
}

// serialDER is CKA_SERIAL_NUMBER: a DER INTEGER.
func serialDER(n *big.Int) []byte {
	b := n.Bytes()
	if len(b) == 0 || b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	return tlv.New(tagInt, b)
}

// publicKey reads a public key: PKCS #1 for RSA, SubjectPublicKeyInfo for the
// others, or either for both.
func (a *app) publicKey(ctx context.Context, e *entry) (object.Template, error) {
	v, err := a.value(ctx, e)
	if err != nil {
		return nil, err
	}
	pub, err := parsePublic(v)
	if err != nil {
		return nil, ckr.New(ckr.DeviceError, "public key", err)
	}
	return publicTemplate(pub)
}

func parsePublic(v []byte) (any, error) {
	if el, _, err := tlv.Next(v); err == nil {
		v = el.Raw
	}
	if pub, err := x509.ParsePKCS1PublicKey(v); err == nil && pub.E <= math.MaxInt32 {
		return pub, nil
	}
	wide := new(wideRSA)
	if rest, err := asn1.Unmarshal(v, wide); err == nil && len(rest) == 0 && wide.sound() {
		return wide, nil
	}
	return x509.ParsePKIXPublicKey(v)
}

// wideRSA is an RSA public key whose exponent is too long for the standard
// library, which takes 31 bits: RSAPublicKey of RFC 8017 §A.1.1.
type wideRSA struct{ N, E *big.Int }

func (k *wideRSA) sound() bool {
	return k.N.Sign() > 0 && k.E.BitLen() > 31 && k.E.Sign() > 0 && k.E.Cmp(k.N) < 0
}

// publicTemplate is a public key as attributes, with its
// SubjectPublicKeyInfo.
func publicTemplate(pub any) (object.Template, error) {
	if k, ok := pub.(*wideRSA); ok {
		t, err := object.Finish(object.Template{
			object.AttrClass.Is(object.ClassPublicKey), object.AttrKeyType.Is(object.KeyRSA),
			object.AttrModulus.Is(k.N), object.AttrPublicExponent.Is(k.E),
		})
		return t.Without(object.AttrClass.Type, object.AttrKeyType.Type), err
	}
	t, err := soft.PublicTemplate(pub)
	if err != nil {
		return nil, err
	}
	t = t.Without(object.AttrClass.Type, object.AttrKeyType.Type)
	if spki, err := x509.MarshalPKIXPublicKey(pub); err == nil {
		t = t.With(object.AttrPublicKeyInfo.Is(spki))
	}
	return t, nil
}

// publicHalf finds the public key of a private key: as the card has it with the
// key, else in the directories under the same id.
func (a *app) publicHalf(ctx context.Context, e *entry) (object.Template, error) {
	t, err := a.ownPublicHalf(ctx, e)
	if !refused(err) && ckr.Of(err) != ckr.DeviceError {
		return t, err
	}
	for _, d := range a.dirs {
		if dirClass[d.kind] != object.ClassPublicKey {
			continue
		}
		for _, p := range d.entries {
			if p.node.Tag != e.node.Tag || len(p.id) == 0 || string(p.id) != string(e.id) || p.private() {
				continue
			}
			if t, err := a.publicKey(ctx, p); err == nil && samePublicSize(t, e) {
				return a.privateView(t, e), nil
			}
		}
	}
	return nil, err
}

// ownPublicHalf has the card tell the public key of a private key.
func (a *app) ownPublicHalf(ctx context.Context, e *entry) (object.Template, error) {
	if _, err := a.do(ctx, selectCommand(e.path.file, 0)); err != nil {
		return nil, err
	}
	pub, err := a.readPublic(ctx, e)
	if err != nil {
		return nil, err
	}
	t, err := publicTemplate(pub)
	return a.privateView(t, e), err
}

func samePublicSize(t object.Template, e *entry) bool {
	n, rsa := object.In(t, object.AttrModulusBits)
	return !rsa || e.bits == 0 || n == uint64(e.bits)
}

// privateView is those attributes of a public key that a private key has.
func (a *app) privateView(t object.Template, e *entry) (out object.Template) {
	rules := object.Rules(object.ClassPrivateKey, uint64(a.keyType(e)))
	for _, x := range t {
		if _, ok := rules.Lookup(x.Type); ok {
			out = append(out, x)
		}
	}
	return out
}

// keyID is the id that we give keys without one: the SHA-1 hash of modulus or
// point, by which key and certificate find each other.
func keyID(pub any) []byte {
	t, err := publicTemplate(pub)
	if err != nil {
		return nil
	}
	if n, ok := object.In(t, object.AttrModulus); ok {
		h := fingerprint.SHA1(n.Bytes())
		return h[:]
	}
	if p, ok := object.In(t, object.AttrECPoint); ok {
		if el, _, err := tlv.Next(p); err == nil {
			h := fingerprint.SHA1(el.Value)
			return h[:]
		}
	}
	return nil
}

var errNoCurve = fmt.Errorf("the card does not tell a curve that is known")
