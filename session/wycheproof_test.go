package session_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/internal/soft/wycheproof"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// prover runs cases through one session.
type prover struct {
	t *testing.T
	s *session.Session
}

var wycheproofHashes = map[string]crypto.Hash{
	"SHA-1": crypto.SHA1, "SHA-224": crypto.SHA224, "SHA-256": crypto.SHA256, "SHA-384": crypto.SHA384, "SHA-512": crypto.SHA512,
	"SHA-512/224": crypto.SHA512_224, "SHA-512/256": crypto.SHA512_256,
	"SHA3-224": crypto.SHA3_224, "SHA3-256": crypto.SHA3_256, "SHA3-384": crypto.SHA3_384, "SHA3-512": crypto.SHA3_512,
}

// choices are the cases that may go either way, or that are valid and refused
// all the same: by the file's name, which may end in *, what marks them, and
// whether they are accepted.
var choices = []struct {
	file, flag string
	accepted   bool
	why        string
}{
	{"aes_gcm_test", "SmallIv", true, "the standard takes initialisation vectors from one byte"},
	{"aes_wrap_test", "ShortKey", false, "RFC 3394 wraps at least two blocks of 8 bytes"},
	{"ecdh_*", "CompressedPoint", false, "PKCS #11 has uncompressed points only"},
	{"ecdh_*", "InvalidAsn", false, "the key comes as SubjectPublicKeyInfo, which package x509 reads by DER"},
	{"ecdh_*", "UnnamedCurve", false, "curves have names: an equation may be that of a weak one"},
	{"x25519_test", "ZeroSharedSecret", false, "a secret of zeros is none"},
	{"x25519_test", "", true, "points on the twist and unreduced ones are computed with, RFC 7748 §5"},
	{"hkdf_*", "EmptySalt", true, "a salt that is empty is that of zeros"},
	{"rsa_oaep_*", "Constructed", true, "the ciphertext is sound"},
	{"rsa_signature_*", "MissingNull", false, "the DigestInfo lacks its NULL, RFC 8017 §9.2"},
}

// chosen finds the choice for a case.
// A choice without a flag is for cases that may go either way.
func chosen(file string, c wycheproof.Case) (accepted, ok bool) {
	for _, choice := range choices {
		prefix, rest, wild := strings.Cut(choice.file, "*")
		fits := file == choice.file || wild && strings.HasPrefix(file, prefix) && strings.HasSuffix(file, rest)
		if fits && (choice.flag == "" && c.Acceptable() || c.Has(choice.flag)) {
			return choice.accepted, true
		}
	}
	return false, false
}

// refusal is a valid case that is refused by policy, with the reason.
type refusal string

func (r refusal) Error() string { return string(r) }

// judge compares what came of a case with what it wants.
func (p *prover) judge(file string, c wycheproof.Case, got []byte, err error, want []byte) {
	p.t.Helper()
	if _, policy := err.(refusal); policy {
		return
	}
	valid := c.Valid()
	if accepted, ok := chosen(file, c); c.Acceptable() || ok && valid && !accepted {
		if !ok {
			p.t.Errorf("%s: %s may go either way, and no choice was made: %v", file, c, err)
		}
		valid = accepted && ok
	}
	switch {
	case valid != (err == nil):
		p.t.Errorf("%s: %s, %s: %v", file, c, c.Text("flags"), err)
	case valid && !bytes.Equal(got, want):
		p.t.Errorf("%s: %s: %x, want %x", file, c, got, want)
	}
}

// key makes a session key whose value may be read, if such a key can be.
func (p *prover) key(class object.Class, kt object.KeyType, more ...object.Attribute) (*object.Object, error) {
	t := object.Template{object.AttrClass.Is(class), object.AttrKeyType.Is(kt)}
	return p.s.Create(p.t.Context(), t.With(more...)...)
}

func (p *prover) secret(kt object.KeyType, value []byte, uses ...object.Attr[bool]) (*object.Object, error) {
	t := object.Template{object.AttrValue.Is(value), object.AttrSensitive.Is(false), object.AttrExtractable.Is(true)}
	for _, u := range uses {
		t = append(t, u.Is(true))
	}
	return p.key(object.ClassSecretKey, kt, t...)
}

// of makes a session key of one of the Go standard library.
func (p *prover) of(t object.Template, err error, more ...object.Attribute) (*object.Object, error) {
	if err != nil {
		return nil, err
	}
	return p.s.Create(p.t.Context(), t.With(more...)...)
}

func (p *prover) destroy(keys ...*object.Object) {
	for _, o := range keys {
		if o != nil {
			noError(p.t, p.s.Destroy(p.t.Context(), o))
		}
	}
}

// value reads the value of a derived key and destroys it.
func (p *prover) value(o *object.Object, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer p.destroy(o)
	return object.Get(p.t.Context(), o, object.AttrValue)
}

// readable is the template of a secret that may be read.
func readable(n int) object.Template {
	t := object.Template{object.AttrSensitive.Is(false), object.AttrExtractable.Is(true)}
	if n > 0 {
		t = append(t, object.AttrValueLen.Is(uint64(n)))
	}
	return t
}

// TestWycheproof runs every case of every mechanism that is offered; with
// -short, or under the race detector, one of seven.
func TestWycheproof(t *testing.T) {
	total := 0
	for _, file := range wycheproof.Files() {
		run := runnerOf(file)
		if run == nil {
			t.Errorf("nothing runs %s", file)
			continue
		}
		cases := wycheproof.Cases(t, file)
		total += len(cases)
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			p := &prover{t, newRig(t).openAs(token.User)}
			for i, c := range cases {
				if !testing.Short() && !raceDetector || i%7 == 0 {
					run(p, file, c)
				}
			}
		})
	}
	t.Logf("%d cases", total)
}

type runner func(p *prover, file string, c wycheproof.Case)

func runnerOf(file string) runner {
	for _, r := range []struct {
		prefix, suffix string
		run            runner
	}{
		{"aes_cbc", "", runCipher}, {"aes_xts", "", runCipher}, {"aes_gcm", "", runAEAD}, {"aes_ccm", "", runAEAD},
		{"aes_cmac", "", runMAC}, {"hmac_", "", runMAC}, {"aes_gmac", "", runMAC}, {"aes_wrap", "", runKeyWrap}, {"aes_kwp", "", runKeyWrap},
		{"ecdh_", "", runECDH}, {"x25519", "", runX25519}, {"ecdsa_", "", runECDSA}, {"ed25519", "", runEd25519},
		{"hkdf_", "", runHKDF}, {"pbkdf2_", "", runPBKDF2},
		{"rsa_oaep", "", runOAEP}, {"rsa_pkcs1", "", runPKCS1}, {"rsa_pss", "", runPSS}, {"rsa_signature", "", runRSASignature},
		{"mldsa", "_verify_test", runMLDSAVerify}, {"mldsa", "", runMLDSASign},
		{"mlkem", "_encaps_test", runEncaps}, {"mlkem", "_keygen_seed_test", runKEMKeys}, {"mlkem", "", runDecaps},
	} {
		if strings.HasPrefix(file, r.prefix) && strings.HasSuffix(file, r.suffix) {
			return r.run
		}
	}
	return nil
}

// both encrypts and decrypts.
func (p *prover) both(file string, c wycheproof.Case, kt object.KeyType, m mechanism.Mechanism, plain, sealed []byte) {
	p.t.Helper()
	ctx := p.t.Context()
	key, err := p.secret(kt, c.Bytes("key"), object.AttrEncrypt, object.AttrDecrypt)
	defer p.destroy(key)
	var got []byte
	if err == nil {
		got, err = p.s.Decrypt(ctx, m, key, sealed)
	}
	p.judge(file, c, got, err, plain)
	if err == nil {
		got, err = p.s.Encrypt(ctx, m, key, plain)
		p.judge(file, c, got, err, sealed)
	}
}

func runCipher(p *prover, file string, c wycheproof.Case) {
	if strings.HasPrefix(file, "aes_xts") {
		if len(c.Bytes("key")) == 48 {
			p.judge(file, c, nil, refusal("the standard has keys of 32 and 64 bytes"), nil)
			return
		}
		tweak := make([]byte, 16) // the number is little endian
		copy(tweak, c.Bytes("iv"))
		p.both(file, c, object.KeyAESXTS, mechanism.AESXTS{Tweak: tweak}, c.Bytes("msg"), c.Bytes("ct"))
		return
	}
	p.both(file, c, object.KeyAES, mechanism.AESCBCPad{IV: c.Bytes("iv")}, c.Bytes("msg"), c.Bytes("ct"))
}

func runAEAD(p *prover, file string, c wycheproof.Case) {
	var m mechanism.Mechanism = mechanism.AESGCM{IV: c.Bytes("iv"), AAD: c.Bytes("aad"), TagBits: c.Int("tagSize")}
	if strings.HasPrefix(file, "aes_ccm") {
		m = mechanism.AESCCM{Nonce: c.Bytes("iv"), AAD: c.Bytes("aad"), MACLen: c.Int("tagSize") / 8}
	}
	p.both(file, c, object.KeyAES, m, c.Bytes("msg"), append(c.Bytes("ct"), c.Bytes("tag")...))
}

func runKeyWrap(p *prover, file string, c wycheproof.Case) {
	var m mechanism.Mechanism = mechanism.AESKeyWrap{}
	if strings.HasPrefix(file, "aes_kwp") {
		m = mechanism.AESKeyWrapKWP{}
	}
	p.both(file, c, object.KeyAES, m, c.Bytes("msg"), c.Bytes("ct"))
	// The same as a key that is unwrapped.
	ctx := p.t.Context()
	allowed := object.AttrUnwrapTemplate.Is(object.Template{object.AttrSensitive.Is(false)})
	key, err := p.key(object.ClassSecretKey, object.KeyAES, object.AttrValue.Is(c.Bytes("key")), object.AttrUnwrap.Is(true), allowed)
	noError(p.t, err)
	defer p.destroy(key)
	got, err := p.value(p.s.Unwrap(ctx, m, key, c.Bytes("ct"), object.AttrClass.Is(object.ClassSecretKey),
		object.AttrKeyType.Is(object.KeyGenericSecret), object.AttrExtractable.Is(true)))
	p.judge(file, c, got, err, c.Bytes("msg"))
}

func runMAC(p *prover, file string, c wycheproof.Case) {
	n := c.Int("tagSize") / 8
	kt, m := object.KeyAES, mechanism.Mechanism(mechanism.AESCMAC{Length: n})
	switch {
	case strings.HasPrefix(file, "aes_gmac"):
		m = mechanism.AESGMAC{IV: c.Bytes("iv")}
	case strings.HasPrefix(file, "hmac"):
		name := strings.TrimSuffix(strings.TrimPrefix(file, "hmac_"), "_test")
		name = strings.Replace(strings.ToUpper(strings.ReplaceAll(name, "_", "-")), "SHA", "SHA-", 1)
		name = strings.Replace(name, "SHA-3-", "SHA3-", 1)
		kt, m = object.KeyGenericSecret, mechanism.HMAC{Hash: wycheproofHashes[name], Length: n}
	}
	key, err := p.secret(kt, c.Bytes("key"), object.AttrSign, object.AttrVerify)
	defer p.destroy(key)
	ctx := p.t.Context()
	if err == nil {
		err = p.s.Verify(ctx, m, key, c.Bytes("msg"), c.Bytes("tag"))
	}
	p.judge(file, c, nil, err, nil)
	if err == nil {
		got, err := p.s.Sign(ctx, m, key, c.Bytes("msg"))
		p.judge(file, c, got, err, c.Bytes("tag"))
	}
}

// private makes a private key that agrees on secrets, whose value may be read.
func (p *prover) agreeing(curve string, value []byte) (*object.Object, error) {
	cv, ok := object.CurveByName(curve)
	if !ok {
		p.t.Fatalf("no curve %q", curve)
	}
	return p.key(object.ClassPrivateKey, cv.Key, object.AttrECParams.Is(cv.Params()), object.AttrValue.Is(value), object.AttrDerive.Is(true))
}

func runECDH(p *prover, file string, c wycheproof.Case) {
	point := c.Bytes("public")
	var err error
	if !strings.HasSuffix(file, "_ecpoint_test") {
		point, err = pointOfInfo(point)
	}
	var got []byte
	if err == nil {
		var key *object.Object
		value := new(big.Int).SetBytes(c.Bytes("private")) // big endian, sometimes with a zero before it
		key, err = p.agreeing(c.Text("curve"), value.Bytes())
		defer p.destroy(key)
		if err == nil {
			got, err = p.value(p.s.Derive(p.t.Context(), mechanism.ECDH{Public: point}, key, readable(0)...))
		}
	}
	p.judge(file, c, got, err, c.Bytes("shared"))
}

// pointOfInfo returns the point of SubjectPublicKeyInfo.
func pointOfInfo(der []byte) ([]byte, error) {
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, err
	}
	if again, err := x509.MarshalPKIXPublicKey(key); err != nil || !bytes.Equal(again, der) {
		return nil, fmt.Errorf("not in DER: %w", err)
	}
	public, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%T", key)
	}
	return public.Bytes()
}

func runX25519(p *prover, file string, c wycheproof.Case) {
	key, err := p.agreeing("X25519", c.Bytes("private"))
	defer p.destroy(key)
	var got []byte
	if err == nil {
		got, err = p.value(p.s.Derive(p.t.Context(), mechanism.ECDH{Public: c.Bytes("public")}, key, readable(0)...))
	}
	p.judge(file, c, got, err, c.Bytes("shared"))
}

// verify verifies a signature with a public key.
func (p *prover) verify(file string, c wycheproof.Case, key *object.Object, err error, m mechanism.Mechanism, sig []byte) {
	p.t.Helper()
	defer p.destroy(key)
	if err == nil {
		err = p.s.Verify(p.t.Context(), m, key, c.Bytes("msg"), sig)
	}
	p.judge(file, c, nil, err, nil)
}

func runECDSA(p *prover, file string, c wycheproof.Case) {
	key, err := x509.ParsePKIXPublicKey(c.Bytes("publicKeyDer"))
	noError(p.t, err)
	public := key.(*ecdsa.PublicKey)
	sig, err := mechanism.ECDSAFromASN1(c.Bytes("sig"), (public.Params().BitSize+7)/8)
	if err != nil {
		p.judge(file, c, nil, err, nil)
		return
	}
	t, err := soft.PublicTemplate(public)
	o, err := p.of(t, err)
	p.verify(file, c, o, err, mechanism.ECDSA{Hash: wycheproofHashes[c.Text("sha")]}, sig)
}

func runEd25519(p *prover, file string, c wycheproof.Case) {
	curve, _ := object.CurveByName("Ed25519")
	pk, _ := c.Key("publicKey")["pk"].(string)
	var point []byte
	fmt.Sscanf(pk, "%x", &point)
	key, err := p.key(object.ClassPublicKey, curve.Key, object.AttrECParams.Is(curve.Params()), object.AttrECPoint.Is(object.EncodePoint(point)))
	p.verify(file, c, key, err, mechanism.EdDSA{}, c.Bytes("sig"))
}

// rsaPublic makes the public key of a case.
func (p *prover) rsaPublic(c wycheproof.Case) (*object.Object, error) {
	number := func(name string) *big.Int {
		n, _ := new(big.Int).SetString(c.Key("publicKey")[name].(string), 16)
		return n
	}
	return p.key(object.ClassPublicKey, object.KeyRSA, object.AttrModulus.Is(number("modulus")), object.AttrPublicExponent.Is(number("publicExponent")))
}

func runRSASignature(p *prover, file string, c wycheproof.Case) {
	key, err := p.rsaPublic(c)
	p.verify(file, c, key, err, mechanism.RSAPKCS{Hash: wycheproofHashes[c.Text("sha")]}, c.Bytes("sig"))
}

func runPSS(p *prover, file string, c wycheproof.Case) {
	salt := c.Int("sLen")
	if salt == 0 {
		salt = mechanism.NoSalt
	}
	key, err := p.rsaPublic(c)
	m := mechanism.RSAPSS{Hash: wycheproofHashes[c.Text("sha")], MGF: wycheproofHashes[c.Text("mgfSha")], Salt: salt}
	if m.Type() != mechanism.Unavailable {
		p.verify(file, c, key, err, m, c.Bytes("sig"))
		return
	}
	// Of hash functions for which there is no mechanism that hashes, the digest
	// is given.
	defer p.destroy(key)
	m.Digested = true
	h := m.Hash.New()
	h.Write(c.Bytes("msg"))
	if err == nil {
		err = p.s.Verify(p.t.Context(), m, key, h.Sum(nil), c.Bytes("sig"))
	}
	p.judge(file, c, nil, err, nil)
}

// rsaPrivate makes the private key of a case.
func (p *prover) rsaPrivate(c wycheproof.Case) (*object.Object, error) {
	key, err := x509.ParsePKCS8PrivateKey(c.Bytes("privateKeyPkcs8"))
	noError(p.t, err)
	t, err := soft.PrivateTemplate(key)
	return p.of(t, err, object.AttrDecrypt.Is(true))
}

func (p *prover) decrypt(file string, c wycheproof.Case, m mechanism.Mechanism) {
	p.t.Helper()
	key, err := p.rsaPrivate(c)
	defer p.destroy(key)
	var got []byte
	if err == nil {
		got, err = p.s.Decrypt(p.t.Context(), m, key, c.Bytes("ct"))
	}
	p.judge(file, c, got, err, c.Bytes("msg"))
}

func runPKCS1(p *prover, file string, c wycheproof.Case) { p.decrypt(file, c, mechanism.RSAPKCS{}) }

func runOAEP(p *prover, file string, c wycheproof.Case) {
	p.decrypt(file, c, mechanism.RSAOAEP{Hash: wycheproofHashes[c.Text("sha")], MGF: wycheproofHashes[c.Text("mgfSha")], Label: c.Bytes("label")})
}

func runHKDF(p *prover, file string, c wycheproof.Case) {
	name := strings.ToUpper(strings.TrimSuffix(strings.TrimPrefix(file, "hkdf_"), "_test"))
	m := mechanism.HKDF{Hash: wycheproofHashes[strings.Replace(name, "SHA", "SHA-", 1)], Extract: true, Expand: true, Salt: c.Bytes("salt"), Info: c.Bytes("info")}
	key, err := p.secret(object.KeyHKDF, c.Bytes("ikm"), object.AttrDerive)
	defer p.destroy(key)
	var got []byte
	switch {
	case len(c.Bytes("ikm")) == 0:
		err = refusal("there is no key without a value")
	case err == nil:
		got, err = p.value(p.s.Derive(p.t.Context(), m, key, readable(c.Int("size"))...))
	}
	p.judge(file, c, got, err, c.Bytes("okm"))
}

func runPBKDF2(p *prover, file string, c wycheproof.Case) {
	name := strings.ToUpper(strings.TrimSuffix(strings.TrimPrefix(file, "pbkdf2_hmac"), "_test"))
	m := mechanism.PBKDF2{
		Hash: wycheproofHashes[strings.Replace(name, "SHA", "SHA-", 1)], Password: c.Bytes("password"),
		Salt: c.Bytes("salt"), Iterations: c.Int("iterationCount"),
	}
	t := readable(c.Int("dkLen")).With(object.AttrKeyType.Is(object.KeyGenericSecret))
	got, err := p.value(p.s.GenerateKey(p.t.Context(), m, t...))
	p.judge(file, c, got, err, c.Bytes("dk"))
}

// parameterSets by the names of files.
var mldsaSets = map[string]object.ParameterSet{
	"mldsa_44": object.ParameterSetMLDSA44, "mldsa_65": object.ParameterSetMLDSA65, "mldsa_87": object.ParameterSetMLDSA87,
}

var mlkemSets = map[string]object.ParameterSet{
	"mlkem_512": object.ParameterSetMLKEM512, "mlkem_768": object.ParameterSetMLKEM768, "mlkem_1024": object.ParameterSetMLKEM1024,
}

// setOf finds the parameter set of a file.
func setOf(file string, sets map[string]object.ParameterSet) object.Attribute {
	parts := strings.SplitN(file, "_", 3)
	return object.AttrParameterSet.Is(sets[parts[0]+"_"+parts[1]])
}

func runMLDSAVerify(p *prover, file string, c wycheproof.Case) {
	key, err := p.key(object.ClassPublicKey, object.KeyMLDSA, setOf(file, mldsaSets), object.AttrValue.Is(c.Bytes("publicKey")))
	p.verify(file, c, key, err, mechanism.MLDSA{Context: c.Bytes("ctx")}, c.Bytes("sig"))
}

func runMLDSASign(p *prover, file string, c wycheproof.Case) {
	value := object.AttrSeed.Is(c.Bytes("privateSeed"))
	if strings.Contains(file, "noseed") {
		value = object.AttrValue.Is(c.Bytes("privateKey"))
	}
	if c.Text("msg") == "" && c.Text("mu") != "" && c.Has("Internal") {
		p.judge(file, c, nil, refusal("the message's representative is made inside"), nil)
		return
	}
	if strings.Contains(c.String(), "randomized") { // its random bytes cannot be given
		runMLDSAVerify(p, file, c)
		return
	}
	key, err := p.key(object.ClassPrivateKey, object.KeyMLDSA, setOf(file, mldsaSets), value)
	defer p.destroy(key)
	var got []byte
	if err == nil {
		got, err = p.s.Sign(p.t.Context(), mechanism.MLDSA{Hedge: mechanism.DeterministicRequired, Context: c.Bytes("ctx")}, key, c.Bytes("msg"))
	}
	p.judge(file, c, got, err, c.Bytes("sig"))
}

// runEncaps checks that public keys are taken or refused; the random bytes of
// an encapsulation cannot be given.
func runEncaps(p *prover, file string, c wycheproof.Case) {
	key, err := p.key(object.ClassPublicKey, object.KeyMLKEM, setOf(file, mlkemSets), object.AttrValue.Is(c.Bytes("ek")))
	defer p.destroy(key)
	if err == nil {
		var secret *object.Object
		_, secret, err = p.s.Encapsulate(p.t.Context(), mechanism.MLKEM{}, key)
		p.destroy(secret)
	}
	p.judge(file, c, nil, err, nil)
}

func runKEMKeys(p *prover, file string, c wycheproof.Case) {
	key, err := p.key(object.ClassPrivateKey, object.KeyMLKEM, setOf(file, mlkemSets), object.AttrSeed.Is(c.Bytes("seed")),
		object.AttrSensitive.Is(false), object.AttrExtractable.Is(true))
	got, err := p.value(key, err)
	p.judge(file, c, got, err, c.Bytes("dk"))
}

func runDecaps(p *prover, file string, c wycheproof.Case) {
	value := object.AttrSeed.Is(c.Bytes("seed"))
	if strings.Contains(file, "semi_expanded") {
		value = object.AttrValue.Is(c.Bytes("dk"))
	}
	key, err := p.key(object.ClassPrivateKey, object.KeyMLKEM, setOf(file, mlkemSets), value, object.AttrSensitive.Is(false), object.AttrExtractable.Is(true))
	defer p.destroy(key)
	var got []byte
	if err == nil {
		got, err = p.value(p.s.Decapsulate(p.t.Context(), mechanism.MLKEM{}, key, c.Bytes("c"), readable(0)...))
	}
	p.judge(file, c, got, err, c.Bytes("K"))
}
