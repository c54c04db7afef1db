package pkcs15

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// curve is a curve that cards of the family may have.
type curve struct {
	bits        int
	params      []byte // DER of its OID
	curve       elliptic.Curve
	order, zero []byte // big endian, as long as the order
}

var curves = []curve{
	newCurve(elliptic.P256(), 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07),
	newCurve(elliptic.P384(), 0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22),
	newCurve(elliptic.P521(), 0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x23),
}

func newCurve(c elliptic.Curve, params ...byte) curve {
	p := c.Params()
	order := p.N.Bytes()
	return curve{p.BitSize, params, c, order, make([]byte, len(order))}
}

func curveByBits(n int) *curve {
	for i := range curves {
		if curves[i].bits == n {
			return &curves[i]
		}
	}
	return nil
}

func curveByParams(p []byte) *curve {
	for i := range curves {
		if bytes.Equal(curves[i].params, p) {
			return &curves[i]
		}
	}
	return nil
}

func curveParams(n int) []byte {
	if c := curveByBits(n); c != nil {
		return c.params
	}
	return nil
}

// publicOf is the public key that a template describes.
func publicOf(t object.Template) (any, error) {
	if kt, _ := object.In(t, object.AttrKeyType); kt == object.KeyRSA {
		n, _ := object.In(t, object.AttrModulus)
		e, _ := object.In(t, object.AttrPublicExponent)
		if n != nil && e != nil && e.BitLen() > 31 {
			return &wideRSA{n, e}, nil
		}
	}
	pub, err := soft.PublicKey(t)
	if err != nil {
		return nil, ckr.New(ckr.TemplateInconsistent, "", err)
	}
	return pub, nil
}

// draftPublic prepares a public key: PKCS #1 for RSA, SubjectPublicKeyInfo for
// EC, as pkcs15-init stores them.
func (b *backend) draftPublic(t object.Template, pub any) (*draft, error) {
	tag := tagSeq
	var v []byte
	var err error
	switch k := pub.(type) {
	case *rsa.PublicKey:
		v = x509.MarshalPKCS1PublicKey(k)
	case *wideRSA:
		v, err = asn1.Marshal(*k)
		if err != nil {
			return nil, ckr.New(ckr.TemplateInconsistent, "", err)
		}
	case *ecdsa.PublicKey:
		tag = tagContext
		if v, err = x509.MarshalPKIXPublicKey(k); err != nil {
			return nil, ckr.New(ckr.TemplateInconsistent, "", err)
		}
	default:
		return nil, ckr.Newf(ckr.TemplateInconsistent, "", "the card holds RSA and EC keys only")
	}
	d, err := b.newDraft(t, dirPublic, tag, filePublicKey)
	if err != nil {
		return nil, err
	}
	e := d.entry
	e.usage, e.access = usageOf(t), bitsOf(false, false, false, false, object.Is(t, object.AttrLocal))
	switch k := pub.(type) {
	case *rsa.PublicKey:
		e.bits = k.N.BitLen()
	case *wideRSA:
		e.bits = k.N.BitLen()
	}
	if len(e.id) == 0 {
		e.id = keyID(pub)
	}
	if d.read, err = publicTemplate(pub); err != nil {
		return nil, err
	}
	return d, b.content(d, v)
}

// keyDraft prepares what private and secret keys have.
func (b *backend) keyDraft(t object.Template, kind, tag tlv.Tag, base byte, fileKind byte, size int) (*draft, error) {
	switch {
	case !object.Is(t, object.AttrPrivate):
		return nil, ckr.Newf(ckr.TemplateInconsistent, "", "keys of this card are private: %v is true", object.AttrPrivate.Type)
	case !object.Is(t, object.AttrSensitive):
		return nil, ckr.Newf(ckr.TemplateInconsistent, "", "keys of this card do not leave it: %v is true", object.AttrSensitive.Type)
	case len(b.authID) == 0:
		return nil, ckr.Newf(ckr.UserPINNotInitialized, "", "the card has no user PIN to guard keys")
	}
	d, err := b.newDraft(t, kind, tag, base)
	if err != nil {
		return nil, err
	}
	e := d.entry
	e.bits, e.usage, e.access = size, usageOf(t), accessOf(t)
	d.file = newFile{kind: fileKind, size: size, acl: b.keyACL()}
	if object.Is(t, object.AttrAlwaysAuthenticate) {
		e.consent = 1
		d.file.prop[0] = b.userRef() << 4 // the card drops this PIN after each use
	}
	if object.Is(t, object.AttrExtractable) {
		d.file.prop[1] = 0x08
	}
	return d, nil
}

// draftPrivateKey prepares the import of a private key.
func (b *backend) draftPrivateKey(t object.Template) (*draft, error) {
	switch kt, _ := object.In(t, object.AttrKeyType); kt {
	case object.KeyRSA:
		return b.draftRSA(t)
	case object.KeyEC:
		return b.draftEC(t)
	default:
		return nil, ckr.Newf(ckr.TemplateInconsistent, "", "the card holds RSA and EC keys, not %v", kt)
	}
}

func (b *backend) draftRSA(t object.Template) (*draft, error) {
	k, err := rsaParts(t)
	if err != nil {
		return nil, err
	}
	bits := k.n.BitLen()
	if err := b.app.rsaSize(bits); err != nil {
		return nil, err
	}
	d, err := b.keyDraft(t, dirPrivate, tagSeq, filePrivateKey, kindRSA, bits)
	if err != nil {
		return nil, err
	}
	pub := &rsa.PublicKey{N: k.n, E: int(k.e.Int64())}
	d.read, _ = publicTemplate(pub)
	if len(d.entry.id) == 0 {
		d.entry.id = keyID(pub)
	}
	d.fill = func(ctx context.Context) error { return b.app.importRSA(ctx, k) }
	return d, nil
}

// rsaKey is an RSA private key in parts.
type rsaKey struct{ n, e, p, q, dp, dq, qinv *big.Int }

func rsaParts(t object.Template) (k rsaKey, err error) {
	get := func(a object.Attr[*big.Int]) *big.Int { v, _ := object.In(t, a); return v }
	k = rsaKey{
		n: get(object.AttrModulus), e: get(object.AttrPublicExponent),
		p: get(object.AttrPrime1), q: get(object.AttrPrime2),
		dp: get(object.AttrExponent1), dq: get(object.AttrExponent2), qinv: get(object.AttrCoefficient),
	}
	d := get(object.AttrPrivateExponent)
	switch {
	case k.n == nil || d == nil && (k.p == nil || k.q == nil):
		return k, ckr.Newf(ckr.TemplateIncomplete, "", "an RSA key for this card needs modulus, public exponent and primes")
	case k.e == nil:
		return k, ckr.Newf(ckr.TemplateIncomplete, "", "%v is missing", object.AttrPublicExponent.Type)
	case k.p == nil || k.q == nil || k.p.Sign() == 0 || k.q.Sign() == 0:
		return k, ckr.Newf(ckr.TemplateIncomplete, "", "the card takes an RSA key by its primes")
	}
	if new(big.Int).Mul(k.p, k.q).Cmp(k.n) != 0 || !k.e.IsInt64() || k.e.Int64() < 3 || k.e.Bit(0) == 0 {
		return k, ckr.Newf(ckr.TemplateInconsistent, "", "the parts are not those of one RSA key")
	}
	return k, k.complete(d)
}

// complete computes the parts that are not given.
func (k *rsaKey) complete(d *big.Int) error {
	one := big.NewInt(1)
	p1, q1 := new(big.Int).Sub(k.p, one), new(big.Int).Sub(k.q, one)
	if d == nil || d.Sign() == 0 {
		d = new(big.Int).ModInverse(k.e, new(big.Int).Mul(p1, q1))
	}
	if d == nil {
		return ckr.Newf(ckr.TemplateInconsistent, "", "the public exponent does not fit the primes")
	}
	k.dp, k.dq = new(big.Int).Mod(d, p1), new(big.Int).Mod(d, q1)
	k.qinv = new(big.Int).ModInverse(k.q, k.p)
	check := new(big.Int).Mul(k.dp, k.e)
	if k.qinv == nil || check.Mod(check, p1).Cmp(one) != 0 {
		return ckr.Newf(ckr.TemplateInconsistent, "", "the exponents do not belong together")
	}
	return nil
}

// importRSA writes the parts of a key into the selected key file. Each has a
// leading zero byte, so that none looks negative.
func (a *app) importRSA(ctx context.Context, k rsaKey) error {
	size := (k.n.BitLen() + 7) / 8
	half := (size + 1) / 2
	for _, part := range []struct {
		p2   byte
		v    *big.Int
		size int
	}{
		{0x83, k.p, half}, {0x84, k.q, half}, {0x85, k.dp, half}, {0x86, k.dq, half}, {0x87, k.qinv, half}, {0x80, k.n, size},
	} {
		if part.v.BitLen() > 8*part.size {
			return ckr.Newf(ckr.TemplateInconsistent, "", "the primes are not of half the modulus's length")
		}
		b := part.v.FillBytes(make([]byte, part.size+1))
		if len(b) > maxWrite && !a.chains() {
			if err := a.putModulus(ctx, b[1:]); err != nil {
				return err
			}
			continue
		}
		if err := a.putPart(ctx, part.p2, b); err != nil {
			return err
		}
	}
	return a.putPart(ctx, 0x81, k.e.Bytes())
}

// putModulus writes a modulus in halves, for cards that do not chain.
func (a *app) putModulus(ctx context.Context, n []byte) error {
	half := len(n) / 2
	if err := a.putPart(ctx, 0x88, n[:half]); err != nil {
		return err
	}
	return a.putPart(ctx, 0x89, n[half:])
}

func (a *app) putPart(ctx context.Context, p2 byte, v []byte) error {
	defer clear(v)
	_, err := a.do(ctx, putData(p2, v))
	return err
}

func (b *backend) draftEC(t object.Template) (*draft, error) {
	params, _ := object.In(t, object.AttrECParams)
	c := curveByParams(params)
	if c == nil || c.bits > b.app.card.ec || b.app.card.features&featureEC == 0 {
		return nil, ckr.Newf(ckr.CurveNotSupported, "", "the card has P-256, P-384 and P-521")
	}
	s, _ := object.In(t, object.AttrValue)
	if s == nil {
		return nil, ckr.Newf(ckr.TemplateIncomplete, "", "%v is missing", object.AttrValue.Type)
	}
	size := (c.bits + 7) / 8
	secret := secretScalar(t, size)
	if secret == nil {
		return nil, ckr.Newf(ckr.AttributeValueInvalid, "", "the private value is not one of the curve")
	}
	priv, err := ecdsa.ParseRawPrivateKey(c.curve, secret)
	if err != nil {
		clear(secret)
		return nil, ckr.New(ckr.AttributeValueInvalid, "", err)
	}
	d, err := b.keyDraft(t, dirPrivate, tagContext, filePrivateKey, kindEC, c.bits)
	if err != nil {
		return nil, err
	}
	d.read, _ = publicTemplate(&priv.PublicKey)
	if len(d.entry.id) == 0 {
		d.entry.id = keyID(&priv.PublicKey)
	}
	point, err := priv.PublicKey.Bytes()
	if err != nil {
		return nil, ckr.New(ckr.AttributeValueInvalid, "", err)
	}
	d.fill = func(ctx context.Context) error {
		if err := b.app.putPart(ctx, 0x87, secret); err != nil {
			return err
		}
		return b.app.putPart(ctx, 0x86, point)
	}
	return d, nil
}

// secretScalar is CKA_VALUE of an EC private key, as long as the field.
func secretScalar(t object.Template, size int) []byte {
	a, _ := t.Lookup(object.AttrValue.Type)
	v := bytes.TrimLeft(a.Bytes(), "\x00")
	if len(v) == 0 || len(v) > size {
		return nil
	}
	out := make([]byte, size)
	copy(out[size-len(v):], v)
	return out
}

// draftSecretKey prepares the import of an AES or triple-DES key.
func (b *backend) draftSecretKey(t object.Template) (*draft, error) {
	kt, _ := object.In(t, object.AttrKeyType)
	v, _ := object.In(t, object.AttrValue)
	a := b.app
	tag, kind := tagSeq, byte(kindAES)
	switch {
	case kt == object.KeyAES && a.card.features&featureAES != 0 && (len(v) == 16 || len(v) == 24 || len(v) == 32) && 8*len(v) <= a.card.aes:
	case kt == object.KeyDES3 && a.card.features&featureDES != 0 && len(v) == 24:
		tag, kind = tagContext+4, kindDES
	case kt == object.KeyAES || kt == object.KeyDES3:
		return nil, ckr.Newf(ckr.KeySizeRange, "", "a key of %d bytes", len(v))
	default:
		return nil, ckr.Newf(ckr.TemplateInconsistent, "", "the card holds AES and triple-DES keys, not %v", kt)
	}
	d, err := b.keyDraft(t, dirSecret, tag, fileSecretKey, kind, 8*len(v))
	if err != nil {
		return nil, err
	}
	e := d.entry
	if len(e.id) == 0 {
		e.id = unguessable()
	}
	if kind == kindAES {
		e.algs = aesRefs(a.info.algorithms)
	}
	e.sub = tlv.New(tagSeq, derInt(tagInt, e.bits))
	secret := bytes.Clone(v)
	d.fill = func(ctx context.Context) error { return a.putPart(ctx, 0xA0, secret) }
	return d, nil
}

// aesAlgorithms are the AlgorithmInfos that Initialize writes: ECB and CBC
// for the shortest and the longest key.
var aesAlgorithms = [][]byte{
	algorithmInfo(1, mechanism.TypeAESECB, 0x01),
	algorithmInfo(2, mechanism.TypeAESCBC, 0x02),
	algorithmInfo(3, mechanism.TypeAESECB, 0x29),
	algorithmInfo(4, mechanism.TypeAESCBC, 0x2A),
}

func algorithmInfo(ref int, m mechanism.Type, arc byte) []byte {
	oid := []byte{0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, arc}
	return tlv.New(tagSeq, derInt(tagInt, ref), derInt(tagInt, int(m)), tlv.New(0x05),
		bitsOf(false, false, false, false, true, true).der(), tlv.New(tagOID, oid), derInt(tagInt, 0))
}

// aesRefs refers to the AES algorithms of the token.
func aesRefs(all []algorithm) (refs []int) {
	for _, x := range all {
		if x.mechanism == int(mechanism.TypeAESECB) || x.mechanism == int(mechanism.TypeAESCBC) {
			refs = append(refs, x.ref)
		}
	}
	if len(refs) > 2 {
		refs = refs[len(refs)-2:]
	}
	return refs
}

// rsaSize refuses lengths that the card does not have.
func (a *app) rsaSize(bits int) error {
	if a.card.features&featureRSA == 0 || bits < 1024 || bits > a.card.rsa || bits%64 != 0 {
		return ckr.Newf(ckr.KeySizeRange, "", "the card has RSA keys of 1024 to %d bits", a.card.rsa)
	}
	return nil
}

// GenerateKeyPair has the card make a key pair.
func (b *backend) GenerateKeyPair(ctx context.Context, m mechanism.Mechanism, pub, priv object.Template, _ driver.Auth) (pr, sr driver.Record, err error) {
	if err := b.ready(); err != nil {
		return pr, sr, err
	}
	d, err := b.draftPair(m, pub, priv)
	if err != nil {
		return pr, sr, err
	}
	var undo rollback
	pubDraft, err := b.makePair(ctx, d, pub, &undo)
	if err != nil {
		return pr, sr, undo.run(ctx, err)
	}
	if sr, err = b.finish(ctx, d.entry); err != nil {
		return pr, sr, err
	}
	if !object.Is(pub, object.AttrToken) {
		return driver.Record{Known: pub.With(pubDraft.read...)}, sr, nil
	}
	pr, err = b.finish(ctx, pubDraft.entry)
	return pr, sr, err
}

// draftPair prepares the private half.
func (b *backend) draftPair(m mechanism.Mechanism, pub, priv object.Template) (*draft, error) {
	switch m.Type() {
	case mechanism.TypeRSAPKCSKeyPairGen:
		n, _ := object.In(pub, object.AttrModulusBits)
		if err := b.app.rsaSize(int(min(n, 1<<20))); err != nil {
			return nil, err
		}
		if e, ok := object.In(pub, object.AttrPublicExponent); ok && e.Cmp(big.NewInt(65537)) != 0 {
			return nil, ckr.Newf(ckr.AttributeValueInvalid, "", "the card makes keys with the public exponent 65537")
		}
		return b.keyDraft(priv, dirPrivate, tagSeq, filePrivateKey, kindRSA, int(n))
	case mechanism.TypeECKeyPairGen:
		params, _ := object.In(pub, object.AttrECParams)
		c := curveByParams(params)
		if c == nil || c.bits > b.app.card.ec || b.app.card.features&featureEC == 0 {
			return nil, ckr.Newf(ckr.CurveNotSupported, "", "the card has P-256, P-384 and P-521")
		}
		return b.keyDraft(priv, dirPrivate, tagContext, filePrivateKey, kindEC, c.bits)
	}
	return nil, ckr.New(ckr.MechanismInvalid, "", nil)
}

// makePair makes both halves, the private one first.
func (b *backend) makePair(ctx context.Context, d *draft, pub object.Template, undo *rollback) (*draft, error) {
	a := b.app
	d.entry.path.file = a.file(filePrivateKey<<8 | 0xFF)
	d.entry.build(d.tag)
	if err := d.entry.dir.fits(d.entry.dir.with(nil, d.entry)); err != nil {
		return nil, err
	}
	if err := a.makeFile(ctx, d, undo); err != nil {
		return nil, err
	}
	key, err := a.generate(ctx, d.entry)
	if err != nil {
		return nil, err
	}
	id, _ := object.In(pub, object.AttrID)
	switch {
	case len(d.entry.id) == 0 && len(id) == 0:
		d.entry.id = keyID(key)
	case len(d.entry.id) == 0:
		d.entry.id = id
	}
	if d.read, err = publicTemplate(key); err != nil {
		return nil, err
	}
	if err := b.enter(ctx, d, undo); err != nil {
		return nil, err
	}
	pd, err := b.draftPublic(pub, key)
	if err != nil {
		return nil, err
	}
	if len(id) == 0 {
		pd.entry.id = d.entry.id
	}
	if !object.Is(pub, object.AttrToken) {
		return pd, nil
	}
	return pd, b.put(ctx, pd, undo)
}

// generate makes the key in the selected key file and returns its public half.
func (a *app) generate(ctx context.Context, e *entry) (any, error) {
	cmd := apdu.Command{INS: 0x46}
	if e.node.Tag == tagSeq {
		cmd.Data = tlv.New(tagSeq, tlv.New(0x81, []byte{0x01, 0x00, 0x01}))
	}
	if _, err := a.do(ctx, cmd); err != nil {
		return nil, err
	}
	if _, err := a.do(ctx, selectCommand(e.path.file, 0)); err != nil {
		return nil, err
	}
	return a.readPublic(ctx, e)
}

// readPublic asks the card for the public half of the selected key.
func (a *app) readPublic(ctx context.Context, e *entry) (any, error) {
	if e.node.Tag == tagSeq {
		return a.readModulus(ctx, e)
	}
	v, err := a.do(ctx, getData(0x86, 256))
	if err != nil {
		return nil, err
	}
	if el, _, err := tlv.Next(v); err == nil && (el.Tag == tagSeq || el.Tag == 0x86) {
		v = el.Value
	}
	c := curveByBits(e.bits)
	if c == nil {
		return nil, ckr.New(ckr.DeviceError, "", errNoCurve)
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(c.curve, v)
	if err != nil {
		return nil, ckr.New(ckr.DeviceError, "public key", err)
	}
	return pub, nil
}

func (a *app) readModulus(ctx context.Context, e *entry) (any, error) {
	n, err := a.do(ctx, getData(0x01, 256))
	if err != nil {
		return nil, err
	}
	exp, err := a.do(ctx, getData(0x02, 256))
	if err != nil {
		return nil, err
	}
	pub := &rsa.PublicKey{N: new(big.Int).SetBytes(n)}
	x := new(big.Int).SetBytes(exp)
	if !x.IsInt64() || x.Int64() < 3 || x.Int64() > 1<<31-1 || pub.N.BitLen() < 512 || e.bits > 0 && pub.N.BitLen() != e.bits {
		return nil, ckr.New(ckr.DeviceError, "public key", fmt.Errorf("the card says %d bits and exponent %v", pub.N.BitLen(), x))
	}
	pub.E = int(x.Int64())
	return pub, nil
}

// GenerateKey is not what these cards do: the key is made in software and
// stored.
func (b *backend) GenerateKey(context.Context, mechanism.Mechanism, object.Template, driver.Auth) (driver.Record, error) {
	return driver.Record{}, ckr.New(ckr.MechanismInvalid, "", nil)
}

// certificateKey is the public key of a certificate, or nil.
func certificateKey(v []byte) any {
	c, err := x509.ParseCertificate(v)
	if err != nil {
		return nil
	}
	return c.PublicKey
}

// certificateView is what Read will find in a certificate.
func certificateView(v []byte) object.Template {
	t := object.Template{object.AttrValue.Is(v)}
	c, err := x509.ParseCertificate(v)
	if err != nil {
		return t
	}
	return append(t, object.AttrSubject.Is(c.RawSubject), object.AttrIssuer.Is(c.RawIssuer),
		object.AttrSerialNumber.Is(serialDER(c.SerialNumber)), object.AttrPublicKeyInfo.Is(c.RawSubjectPublicKeyInfo))
}
