package soft_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// A pair is a key pair in both of our forms.
type pair struct{ public, private *soft.Material }

func pairOf(key interface{ Public() crypto.PublicKey }) pair {
	return pair{must(public(key.Public())), must(private(key))}
}

var (
	goRSA     = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	goEC      = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	rsaPair   = sync.OnceValue(func() pair { return pairOf(goRSA()) })
	ecPair    = sync.OnceValue(func() pair { return pairOf(goEC()) })
	edPair    = sync.OnceValue(func() pair { return pairOf(ed25519.NewKeyFromSeed(make([]byte, 32))) })
	aesKey    = sync.OnceValue(func() *soft.Material { return must(secret(object.KeyAES, make([]byte, 32))) })
	hmacKey   = sync.OnceValue(func() *soft.Material { return must(secret(object.KeyGenericSecret, make([]byte, 32))) })
	sixteen   = make([]byte, 16)
	allHashes = []crypto.Hash{
		crypto.SHA1, crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA3_224, crypto.SHA3_256,
		crypto.SHA3_384, crypto.SHA3_512,
	}
)

// forbidden reports whether the FIPS mode of the test forbids what failed.
func forbidden(err error) bool {
	code := ckr.Of(err)
	return fips140.Enforced() && (code == ckr.MechanismInvalid || code == ckr.KeySizeRange)
}

func TestSignaturesVerify(t *testing.T) {
	type use struct {
		mech mechanism.Mechanism
		keys pair
	}
	secretPair := func(m *soft.Material) pair { return pair{m, m} }
	uses := []use{
		{mechanism.RSAPKCS{}, rsaPair()}, {mechanism.ECDSA{}, ecPair()}, {mechanism.EdDSA{}, edPair()},
		{mechanism.EdDSA{Context: []byte("c")}, edPair()}, {mechanism.EdDSA{Prehash: true}, edPair()},
		{mechanism.AESCMAC{}, secretPair(aesKey())}, {mechanism.AESCMAC{Length: 8}, secretPair(aesKey())},
	}
	for _, h := range allHashes {
		uses = append(uses,
			use{mechanism.RSAPKCS{Hash: h}, rsaPair()}, use{mechanism.RSAPSS{Hash: h}, rsaPair()},
			use{mechanism.RSAPSS{Hash: h, Salt: mechanism.NoSalt}, rsaPair()}, use{mechanism.RSAPSS{Hash: h, MGF: crypto.SHA256, Salt: 10}, rsaPair()},
			use{mechanism.ECDSA{Hash: h}, ecPair()}, use{mechanism.HMAC{Hash: h}, secretPair(hmacKey())})
	}
	for _, u := range uses {
		name := fmt.Sprintf("%#v", u.mech)
		input := []byte("message")
		h, prepared := mechanism.Prehash(u.mech)
		if h != 0 && mechanism.Permitted(h) {
			input = digest(h, input)
		}
		signature, err := soft.Sign(u.keys.private, prepared, input)
		if err != nil {
			if !forbidden(err) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err := soft.Verify(u.keys.public, prepared, input, signature); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		input[0] ^= 1
		if err := soft.Verify(u.keys.public, prepared, input, signature); ckr.Of(err) != ckr.SignatureInvalid {
			t.Errorf("%s: of another input: %v", name, err)
		}
		input[0] ^= 1
		signature[len(signature)-1] ^= 1
		if err := soft.Verify(u.keys.public, prepared, input, signature); ckr.Of(err) != ckr.SignatureInvalid {
			t.Errorf("%s: broken: %v", name, err)
		}
		if err := soft.Verify(u.keys.public, prepared, input, signature[1:]); ckr.Of(err) != ckr.SignatureLenRange {
			t.Errorf("%s: short: %v", name, err)
		}
	}
}

func TestWhatIsEncryptedDecrypts(t *testing.T) {
	aes := pair{aesKey(), aesKey()}
	tests := []struct {
		mech mechanism.Mechanism
		keys pair
	}{
		{mechanism.RSAPKCS{}, rsaPair()}, {mechanism.RSAOAEP{Hash: crypto.SHA256}, rsaPair()},
		{mechanism.RSAOAEP{Hash: crypto.SHA256, MGF: crypto.SHA1, Label: []byte("l")}, rsaPair()},
		{mechanism.AESECB{}, aes}, {mechanism.AESCBC{IV: sixteen}, aes}, {mechanism.AESCBCPad{IV: sixteen}, aes},
		{mechanism.AESCTR{CB: sixteen, CounterBits: 32}, aes}, {mechanism.AESGCM{IV: sixteen[:12]}, aes},
		{mechanism.AESGCM{IV: sixteen, TagBits: 104, AAD: []byte("a")}, aes},
		{mechanism.AESKeyWrap{}, aes}, {mechanism.AESKeyWrapKWP{}, aes},
	}
	for _, test := range tests {
		for _, length := range []int{16, 32, 64} {
			data := bytes.Repeat([]byte{7}, length)
			sealed, err := soft.Encrypt(test.keys.public, test.mech, data)
			if err != nil {
				if !forbidden(err) {
					t.Errorf("%#v: %v", test.mech, err)
				}
				continue
			}
			got, err := soft.Decrypt(test.keys.private, test.mech, sealed)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%#v: %x, %v", test.mech, got, err)
			}
		}
	}
}

func TestErrorsSayWhatIsWrong(t *testing.T) {
	if fips140.Enforced() {
		return // other rules go first
	}
	r, e := rsaPair(), ecPair()
	sum := make([]byte, 32)
	sign := func(m *soft.Material, mech mechanism.Mechanism, input []byte) error {
		_, err := soft.Sign(m, mech, input)
		return err
	}
	decrypt := func(m *soft.Material, mech mechanism.Mechanism, data []byte) error {
		_, err := soft.Decrypt(m, mech, data)
		return err
	}
	encrypt := func(m *soft.Material, mech mechanism.Mechanism, data []byte) error {
		_, err := soft.Encrypt(m, mech, data)
		return err
	}
	derive := func(m *soft.Material, mech mechanism.Mechanism, length int) error {
		_, err := soft.DeriveLength(m, mech, length)
		return err
	}
	peer := must(goEC().PublicKey.Bytes())
	tests := []struct {
		name string
		err  error
		want ckr.Code
	}{
		{"no key", sign(nil, mechanism.ECDSA{}, sum), ckr.KeyHandleInvalid},
		{"no mechanism", sign(r.private, nil, sum), ckr.MechanismInvalid},
		{"input not hashed yet", sign(r.private, mechanism.RSAPKCS{Hash: crypto.SHA256}, sum), ckr.MechanismInvalid},
		{"another key type", sign(e.private, mechanism.RSAPKCS{}, sum), ckr.KeyTypeInconsistent},
		{"signing with a public key", sign(r.public, mechanism.RSAPKCS{}, sum), ckr.KeyTypeInconsistent},
		{"verifying with a private key", soft.Verify(e.private, mechanism.ECDSA{}, sum, make([]byte, 64)), ckr.KeyTypeInconsistent},
		{"a mechanism that does not sign", sign(aesKey(), mechanism.AESECB{}, sum), ckr.MechanismInvalid},
		{"a maker's mechanism", sign(r.private, mechanism.Raw{T: 0x80000001}, sum), ckr.MechanismInvalid},
		{"digest of another length", sign(r.private, mechanism.RSAPKCS{Hash: crypto.SHA256, Digested: true}, sum[:20]), ckr.DataLenRange},
		{"PSS digest of another length", sign(r.private, mechanism.RSAPSS{Hash: crypto.SHA256, Digested: true}, sum[:20]), ckr.DataLenRange},
		{"PSS digest of another length to verify", soft.Verify(r.public, mechanism.RSAPSS{Hash: crypto.SHA256, Digested: true}, sum[:20], make([]byte, 256)), ckr.DataLenRange},
		{"salt that the key has no room for", sign(r.private, mechanism.RSAPSS{Hash: crypto.SHA256, Salt: 1000, Digested: true}, sum), ckr.KeySizeRange},
		{"long input of PKCS #1", sign(r.private, mechanism.RSAPKCS{}, make([]byte, 246)), ckr.DataLenRange},
		{"longest input of PKCS #1", sign(r.private, mechanism.RSAPKCS{}, make([]byte, 245)), ckr.OK},
		{"empty digest of ECDSA", sign(e.private, mechanism.ECDSA{}, nil), ckr.DataLenRange},
		{"digest of Ed25519ph", sign(edPair().private, mechanism.EdDSA{Prehash: true, Digested: true}, sum), ckr.DataLenRange},
		{"long message of PKCS #1", encrypt(r.public, mechanism.RSAPKCS{}, make([]byte, 246)), ckr.DataLenRange},
		{"long message of OAEP", encrypt(r.public, mechanism.RSAOAEP{Hash: crypto.SHA256}, make([]byte, 191)), ckr.DataLenRange},
		{"raw input beyond the modulus", encrypt(r.public, mechanism.RSAX509{}, bytes.Repeat([]byte{255}, 256)), ckr.DataLenRange},
		{"short sealed data of RSA", decrypt(r.private, mechanism.RSAPKCS{}, make([]byte, 255)), ckr.EncryptedDataLenRange},
		{"bad sealed data of RSA", decrypt(r.private, mechanism.RSAPKCS{}, make([]byte, 256)), ckr.EncryptedDataInvalid},
		{"sealed data beyond the modulus", decrypt(r.private, mechanism.RSAOAEP{Hash: crypto.SHA256}, bytes.Repeat([]byte{255}, 256)), ckr.EncryptedDataInvalid},
		{"part of a block", encrypt(aesKey(), mechanism.AESECB{}, make([]byte, 15)), ckr.DataLenRange},
		{"part of a sealed block", decrypt(aesKey(), mechanism.AESCBC{IV: sixteen}, make([]byte, 17)), ckr.EncryptedDataLenRange},
		{"no padded block", decrypt(aesKey(), mechanism.AESCBCPad{IV: sixteen}, nil), ckr.EncryptedDataLenRange},
		{"bad padding", decrypt(aesKey(), mechanism.AESCBCPad{IV: sixteen}, make([]byte, 16)), ckr.EncryptedDataInvalid},
		{"no tag", decrypt(aesKey(), mechanism.AESGCM{IV: sixteen}, make([]byte, 15)), ckr.EncryptedDataLenRange},
		{"bad tag", decrypt(aesKey(), mechanism.AESGCM{IV: sixteen}, make([]byte, 16)), ckr.EncryptedDataInvalid},
		{"counter that comes round", encrypt(aesKey(), mechanism.AESCTR{CB: sixteen, CounterBits: 1}, make([]byte, 33)), ckr.DataLenRange},
		{"AES with a secret of another type", encrypt(hmacKey(), mechanism.AESECB{}, sixteen), ckr.KeyTypeInconsistent},
		{"HMAC with an AES key", sign(aesKey(), mechanism.HMAC{Hash: crypto.SHA256}, sum), ckr.KeyTypeInconsistent},
		{"key agreement with RSA", derive(r.private, mechanism.ECDH{Public: peer}, 0), ckr.KeyTypeInconsistent},
		{"key agreement with a public key", derive(e.public, mechanism.ECDH{Public: peer}, 0), ckr.KeyTypeInconsistent},
		{"key agreement off the curve", derive(e.private, mechanism.ECDH{Public: append(peer[:64:64], peer[64]^1)}, 0), ckr.MechanismParamInvalid},
		{"key agreement with infinity", derive(e.private, mechanism.ECDH{Public: []byte{0}}, 0), ckr.MechanismParamInvalid},
		{"a key longer than the secret", derive(e.private, mechanism.ECDH{Public: peer}, 33), ckr.KeySizeRange},
		{"a key of negative length", derive(e.private, mechanism.ECDH{Public: peer}, -1), ckr.KeySizeRange},
		{"deriving by ECDSA", derive(e.private, mechanism.ECDSA{}, 0), ckr.MechanismInvalid},
	}
	for _, test := range tests {
		if got := ckr.Of(test.err); got != test.want {
			t.Errorf("%s: %v, want %s", test.name, test.err, test.want.Name())
		}
	}
}

func TestMaterialNeedsASoundKey(t *testing.T) {
	class, key := object.AttrClass.Is(object.ClassPublicKey), object.AttrKeyType.Is(object.KeyRSA)
	modulus := object.AttrModulus.Is(goRSA().N)
	tests := []struct {
		name string
		t    object.Template
		want ckr.Code
	}{
		{"nothing", nil, ckr.KeyTypeInconsistent},
		{"data", object.Template{object.AttrClass.Is(object.ClassData)}, ckr.KeyTypeInconsistent},
		{"a type that software does not know", object.Template{class, object.AttrKeyType.Is(object.KeyHSS)}, ckr.KeyTypeInconsistent},
		{"no modulus", object.Template{class, key}, ckr.TemplateIncomplete},
		{"no exponent", object.Template{class, key, modulus}, ckr.TemplateIncomplete},
		{"exponent 1", object.Template{class, key, modulus, object.AttrPublicExponent.Is(big.NewInt(1))}, ckr.KeySizeRange},
		{"short modulus", object.Template{class, key, object.AttrModulus.Is(new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 700), big.NewInt(1))), object.AttrPublicExponent.Is(big.NewInt(3))}, ckr.KeySizeRange},
		{"unknown curve", object.Template{class, object.AttrKeyType.Is(object.KeyEC), object.AttrECParams.Is([]byte{6, 5, 0x2b, 0x81, 4, 0, 0x0a})}, ckr.CurveNotSupported},
		{"no point", must(object.Imply(object.GeneratedPublic, object.Template{object.AttrECParams.Is(p256())}, mechanism.TypeECKeyPairGen)), ckr.TemplateIncomplete},
		{"no value", object.Template{object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES)}, ckr.TemplateIncomplete},
	}
	for _, test := range tests {
		if _, err := soft.NewMaterial(test.t); ckr.Of(err) != test.want {
			t.Errorf("%s: %v, want %s", test.name, err, test.want.Name())
		}
	}
}

func p256() []byte { c, _ := object.CurveByName("P-256"); return c.Params() }

func TestMaterialDoesNotPrintAndDiesCleared(t *testing.T) {
	m := must(secret(object.KeyGenericSecret, []byte("HUSHHUSHHUSHHUSH")))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		if out := fmt.Sprintf(verb, m); strings.Contains(out, "HUSH") || strings.Contains(out, "485553") || strings.Contains(out, "72 85") {
			t.Errorf("%s shows the key: %s", verb, out)
		}
	}
	for _, m := range []*soft.Material{m, must(private(goRSA())), must(private(goEC()))} {
		soft.Clear(m)
		soft.Clear(m)
		for _, mech := range []mechanism.Mechanism{mechanism.HMAC{Hash: crypto.SHA256}, mechanism.RSAPKCS{}, mechanism.ECDSA{}} {
			if _, err := soft.Sign(m, mech, make([]byte, 32)); err == nil {
				t.Errorf("%v signs after it was cleared", m)
			}
		}
	}
	soft.Clear(nil)
	if err := soft.Verify(rsaPair().public, mechanism.RSAPSS{Hash: crypto.SHA256, Digested: true}, make([]byte, 32), make([]byte, 256)); ckr.Of(err) != ckr.SignatureInvalid {
		t.Errorf("clearing one key harmed another: %v", err)
	}
}

func TestBothSidesAgree(t *testing.T) {
	a, b := goEC(), must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	point := must(b.PublicKey.Bytes())
	want := must(must(a.ECDH()).ECDH(must(b.PublicKey.ECDH())))
	for _, public := range [][]byte{point, object.EncodePoint(point)} {
		for _, cofactor := range []bool{false, true} {
			got, err := soft.Derive(must(private(a)), mechanism.ECDH{Public: public, Cofactor: cofactor})
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%x, %v", got, err)
			}
		}
	}
	short, err := soft.DeriveLength(must(private(a)), mechanism.ECDH{Public: point}, 16)
	if err != nil || !bytes.Equal(short, want[16:]) {
		t.Errorf("the leading bytes are not the ones cut: %x, %v", short, err)
	}
	p224a, p224b := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader)), must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	one := must(soft.Derive(must(private(p224a)), mechanism.ECDH{Public: must(p224b.PublicKey.Bytes())}))
	other := must(soft.Derive(must(private(p224b)), mechanism.ECDH{Public: must(p224a.PublicKey.Bytes())}))
	if len(one) != 28 || !bytes.Equal(one, other) {
		t.Errorf("P-224: %x and %x", one, other)
	}
}

func TestKeysAreStretchedByTheStandards(t *testing.T) {
	// SEC 1 / ANSI X9.63 with SHA-256, from NIST's CAVS 12.0.
	secret := must(hex.DecodeString("96c05619d56c328ab95fe84b18264b08725b85e33fd34f08"))
	got, err := soft.Stretch(mechanism.ECDH{Public: []byte{4}, KDF: mechanism.KDFSHA256}, secret, 16)
	if want := "443024c3dae66b95e6f5670601558f71"; err != nil || hex.EncodeToString(got) != want {
		t.Errorf("X9.63: %x, %v, want %s", got, err, want)
	}
	z, info := []byte("secret"), []byte("info")
	for kdf, parts := range map[mechanism.KDF][][]byte{
		mechanism.KDFSHA256:      {z, {0, 0, 0, 1}, info},
		mechanism.KDFSHA256SP800: {{0, 0, 0, 1}, z, info},
	} {
		first := digest(crypto.SHA256, bytes.Join(parts, nil))
		for _, length := range []int{0, 1, 32, 33, 100} {
			got, err := soft.Stretch(mechanism.ECDH{Public: []byte{4}, KDF: kdf, SharedData: info}, z, length)
			want := length
			if length == 0 {
				want = 32
			}
			if err != nil || len(got) != want || !bytes.Equal(got[:min(32, want)], first[:min(32, want)]) {
				t.Errorf("%d bytes: %x, %v", length, got, err)
			}
		}
	}
	if _, err := soft.Stretch(mechanism.ECDH{Public: []byte{4}, KDF: mechanism.KDFSHA256}, z, 1<<20); ckr.Of(err) != ckr.KeySizeRange {
		t.Errorf("a key of a megabyte: %v", err)
	}
}

func TestCounterComesRoundWithinItsBits(t *testing.T) {
	block := bytes.Repeat([]byte{0xab}, 15)
	near := append(bytes.Clone(block), 0xfe) // two blocks to go
	round := append(bytes.Clone(block), 0x00)
	data := make([]byte, 64)
	got := must(soft.Encrypt(aesKey(), mechanism.AESCTR{CB: near, CounterBits: 8}, data))
	tail := must(soft.Encrypt(aesKey(), mechanism.AESCTR{CB: round, CounterBits: 8}, data[:32]))
	whole := must(soft.Encrypt(aesKey(), mechanism.AESCTR{CB: near, CounterBits: 128}, data))
	if !bytes.Equal(got[:32], whole[:32]) || !bytes.Equal(got[32:], tail) || bytes.Equal(got[32:], whole[32:]) {
		t.Error("the counter does not stay within its bits")
	}
	two := bytes.Clone(near)
	two[15] = 0xff
	if _, err := soft.Encrypt(aesKey(), mechanism.AESCTR{CB: two, CounterBits: 1}, make([]byte, 32)); err != nil {
		t.Errorf("two blocks with a counter of one bit: %v", err)
	}
}

func TestMACsComePieceByPiece(t *testing.T) {
	message := bytes.Repeat([]byte("0123456789"), 10)
	for mech, key := range map[mechanism.Mechanism]*soft.Material{mechanism.AESCMAC{}: aesKey(), mechanism.HMAC{Hash: crypto.SHA256}: hmacKey()} {
		for length := range len(message) {
			want := must(soft.Sign(key, mech, message[:length]))
			sum := must(soft.NewMAC(key, mech))
			for _, b := range message[:length] {
				sum.Write([]byte{b})
				sum.Sum(nil) // does not disturb what follows
			}
			if got := sum.Sum(nil); !bytes.Equal(got, want) {
				t.Errorf("%s of %d bytes: %x, want %x", mech.Type(), length, got, want)
			}
			sum.Reset()
			sum.Write(message[:length])
			if got := sum.Sum([]byte{1}); !bytes.Equal(got[1:], want) {
				t.Errorf("%s of %d bytes after a reset: %x, want %x", mech.Type(), length, got, want)
			}
		}
	}
}

func TestGeneratedPairsWork(t *testing.T) {
	params := func(name string) object.Attribute {
		c, _ := object.CurveByName(name)
		return object.AttrECParams.Is(c.Params())
	}
	tests := []struct {
		mech mechanism.Mechanism
		pub  object.Template
		sign mechanism.Mechanism
	}{
		{mechanism.RSAKeyPairGen{}, object.Template{object.AttrModulusBits.Is(2048)}, mechanism.RSAPKCS{Hash: crypto.SHA256, Digested: true}},
		{mechanism.ECKeyPairGen{}, object.Template{params("P-256")}, mechanism.ECDSA{}},
		{mechanism.ECKeyPairGen{}, object.Template{params("P-521")}, mechanism.ECDSA{}},
		{mechanism.ECKeyPairGen{}, object.Template{params("P-224")}, mechanism.ECDSA{}},
		{mechanism.ECEdwardsKeyPairGen{}, object.Template{params("Ed25519")}, mechanism.EdDSA{}},
		{mechanism.ECMontgomeryKeyPairGen{}, object.Template{params("X25519")}, nil},
	}
	for _, test := range tests {
		imply := func(o object.Origin, t object.Template) object.Template {
			return must(object.Complete(o, must(object.Imply(o, t, test.mech.Type())), false))
		}
		pub, priv := imply(object.GeneratedPublic, test.pub), imply(object.GeneratedPrivate, nil)
		pubValues, privValues, err := soft.GenerateKeyPair(test.mech, pub, priv)
		if err != nil {
			if !forbidden(err) {
				t.Errorf("%s: %v", test.mech.Type(), err)
			}
			continue
		}
		pub, priv = pub.With(pubValues...), priv.With(privValues...)
		for _, key := range []object.Template{pub, priv} {
			if made, _ := object.In(key, object.AttrKeyGenMechanism); made != test.mech.Type() || !object.Is(key, object.AttrLocal) {
				t.Errorf("%s: the key says that it was made by %s", test.mech.Type(), made)
			}
			if err := key.Validate(); err != nil {
				t.Errorf("%s: %v", test.mech.Type(), err)
			}
			if again, err := object.Finish(key); err != nil || len(again) != len(key) {
				t.Errorf("%s: the key is not finished: %v", test.mech.Type(), err)
			}
		}
		public, private := must(soft.NewMaterial(pub)), must(soft.NewMaterial(priv))
		if test.sign == nil {
			continue
		}
		sum := make([]byte, 32)
		if err := soft.Verify(public, test.sign, sum, must(soft.Sign(private, test.sign, sum))); err != nil {
			t.Errorf("%s: %v", test.mech.Type(), err)
		}
	}
}

func TestPairsThatCannotBeGenerated(t *testing.T) {
	bits := func(n uint64) object.Template { return object.Template{object.AttrModulusBits.Is(n)} }
	tests := []struct {
		name string
		mech mechanism.Mechanism
		pub  object.Template
		want ckr.Code
	}{
		{"no length", mechanism.RSAKeyPairGen{}, nil, ckr.TemplateIncomplete},
		{"512 bits", mechanism.RSAKeyPairGen{}, bits(512), ckr.AttributeValueInvalid},
		{"2^40 bits", mechanism.RSAKeyPairGen{}, bits(1 << 40), ckr.AttributeValueInvalid},
		{"exponent 3", mechanism.RSAKeyPairGen{}, bits(2048).With(object.AttrPublicExponent.Is(big.NewInt(3))), ckr.AttributeValueInvalid},
		{"no curve", mechanism.ECKeyPairGen{}, nil, ckr.TemplateIncomplete},
		{"unknown curve", mechanism.ECKeyPairGen{}, object.Template{object.AttrECParams.Is([]byte{6, 5, 0x2b, 0x81, 4, 0, 0x0a})}, ckr.CurveNotSupported},
		{"curve of another kind", mechanism.ECEdwardsKeyPairGen{}, object.Template{object.AttrECParams.Is(p256())}, ckr.TemplateInconsistent},
		{"another mechanism", mechanism.AESKeyGen{}, nil, ckr.MechanismInvalid},
		{"wrapping and decrypting", mechanism.RSAKeyPairGen{}, bits(2048).With(object.AttrWrap.Is(true)), ckr.TemplateInconsistent},
	}
	for _, test := range tests {
		_, _, err := soft.GenerateKeyPair(test.mech, test.pub, object.Template{object.AttrDecrypt.Is(true)})
		if ckr.Of(err) != test.want {
			t.Errorf("%s: %v, want %s", test.name, err, test.want.Name())
		}
	}
}

func TestGeneratedSecretsHaveTheirLength(t *testing.T) {
	for _, test := range []struct {
		mech   mechanism.Mechanism
		length uint64
		want   ckr.Code
	}{
		{mechanism.AESKeyGen{}, 32, ckr.OK}, {mechanism.AESKeyGen{}, 20, ckr.AttributeValueInvalid},
		{mechanism.GenericSecretKeyGen{}, 20, ckr.OK}, {mechanism.GenericSecretKeyGen{}, 0, ckr.AttributeValueInvalid},
		{mechanism.GenericSecretKeyGen{}, 1 << 40, ckr.AttributeValueInvalid}, {mechanism.ECKeyPairGen{}, 16, ckr.MechanismInvalid},
	} {
		template := object.Template{object.AttrValueLen.Is(test.length)}
		if test.want == ckr.OK {
			template = must(object.Complete(object.Generated, must(object.Imply(object.Generated, template, test.mech.Type())), false))
		}
		values, err := soft.GenerateKey(test.mech, template)
		if ckr.Of(err) != test.want {
			t.Errorf("%s of %d bytes: %v, want %s", test.mech.Type(), test.length, err, test.want.Name())
		}
		if err != nil {
			continue
		}
		value, _ := object.In(values, object.AttrValue)
		if uint64(len(value)) != test.length || bytes.Equal(value, make([]byte, test.length)) {
			t.Errorf("%s: %d bytes", test.mech.Type(), len(value))
		}
		must(soft.NewMaterial(template.With(values...)))
	}
	if _, err := soft.GenerateKey(mechanism.AESKeyGen{}, nil); ckr.Of(err) != ckr.TemplateIncomplete {
		t.Errorf("without a length: %v", err)
	}
}

func TestKeysTravelWrapped(t *testing.T) {
	aes := object.Template{object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES), object.AttrValue.Is(sixteen)}
	keys := []object.Template{aes, must(soft.PrivateTemplate(goRSA())), must(soft.PrivateTemplate(goEC())), must(soft.PrivateTemplate(ed25519.NewKeyFromSeed(make([]byte, 32))))}
	for _, key := range keys {
		m := must(soft.NewMaterial(key))
		bare := key.Without(object.AttrValue.Type)
		for _, mech := range []mechanism.Mechanism{mechanism.AESKeyWrapKWP{}, mechanism.AESGCM{IV: sixteen[:12]}} {
			wrapped, err := soft.Wrap(aesKey(), mech, must(soft.Export(m)))
			if err != nil {
				if !forbidden(err) {
					t.Errorf("%v under %s: %v", m, mech.Type(), err)
				}
				continue
			}
			value := must(soft.Unwrap(aesKey(), mech, wrapped, nil))
			values, err := soft.UnwrappedValues(bare, value)
			if err != nil {
				t.Errorf("%v under %s: %v", m, mech.Type(), err)
				continue
			}
			for _, a := range key {
				if got, ok := bare.With(values...).Lookup(a.Type); !ok || !got.Equal(a) && a.Type != object.AttrValue.Type {
					t.Errorf("%v under %s: %v came back as %v", m, mech.Type(), a, got)
				}
			}
			wrapped[len(wrapped)/2] ^= 1
			if _, err := soft.Unwrap(aesKey(), mech, wrapped, nil); ckr.Of(err) != ckr.WrappedKeyInvalid {
				t.Errorf("%v under %s, altered: %v", m, mech.Type(), err)
			}
		}
	}
}

func TestWrappingHasItsOwnErrors(t *testing.T) {
	if fips140.Enforced() {
		return // other rules go first
	}
	key := must(secret(object.KeyAES, sixteen))
	odd := must(secret(object.KeyGenericSecret, []byte("odd")))
	wrap := func(w *soft.Material, mech mechanism.Mechanism, k *soft.Material) error {
		value, err := soft.Export(k)
		if err == nil {
			_, err = soft.Wrap(w, mech, value)
		}
		return err
	}
	unwrap := func(w *soft.Material, mech mechanism.Mechanism, b []byte) error {
		_, err := soft.Unwrap(w, mech, b, nil)
		return err
	}
	values := func(t object.Template, b []byte) error { _, err := soft.UnwrappedValues(t, b); return err }
	aes := object.Template{object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES)}
	tests := []struct {
		name string
		err  error
		want ckr.Code
	}{
		{"by parts that can be joined anew", wrap(aesKey(), mechanism.AESECB{}, key), ckr.MechanismInvalid},
		{"by a padding that betrays", wrap(rsaPair().public, mechanism.RSAPKCS{}, key), ckr.MechanismInvalid},
		{"by nothing", wrap(aesKey(), mechanism.Raw{T: mechanism.TypeNull}, key), ckr.MechanismInvalid},
		{"by no mechanism", wrap(aesKey(), nil, key), ckr.MechanismInvalid},
		{"by OAEP", wrap(rsaPair().public, mechanism.RSAOAEP{Hash: crypto.SHA256}, key), ckr.OK},
		{"with a key of another type", wrap(hmacKey(), mechanism.AESKeyWrap{}, key), ckr.WrappingKeyTypeInconsistent},
		{"with no key", wrap(nil, mechanism.AESKeyWrap{}, key), ckr.WrappingKeyHandleInvalid},
		{"of no key", wrap(aesKey(), mechanism.AESKeyWrap{}, nil), ckr.KeyNotWrappable},
		{"of a public key", wrap(aesKey(), mechanism.AESKeyWrap{}, rsaPair().public), ckr.KeyNotWrappable},
		{"of a length that does not fit", wrap(aesKey(), mechanism.AESKeyWrap{}, odd), ckr.KeySizeRange},
		{"of a private key under RSA", wrap(rsaPair().public, mechanism.RSAOAEP{Hash: crypto.SHA256}, rsaPair().private), ckr.KeySizeRange},
		{"unwrapping what is too short", unwrap(aesKey(), mechanism.AESKeyWrap{}, sixteen), ckr.WrappedKeyLenRange},
		{"unwrapping garbage", unwrap(aesKey(), mechanism.AESKeyWrap{}, make([]byte, 24)), ckr.WrappedKeyInvalid},
		{"unwrapping with a key of another type", unwrap(rsaPair().public, mechanism.AESKeyWrap{}, make([]byte, 24)), ckr.UnwrappingKeyTypeInconsistent},
		{"unwrapping by ECB", unwrap(aesKey(), mechanism.AESECB{}, sixteen), ckr.MechanismInvalid},
		{"a secret of a wrong length", values(aes, []byte("odd")), ckr.WrappedKeyInvalid},
		{"a secret of another length", values(aes.With(object.AttrValueLen.Is(32)), sixteen), ckr.WrappedKeyLenRange},
		{"a secret for a private key", values(object.Template{object.AttrClass.Is(object.ClassPrivateKey), object.AttrKeyType.Is(object.KeyRSA)}, sixteen), ckr.WrappedKeyInvalid},
	}
	for _, test := range tests {
		if got := ckr.Of(test.err); got != test.want {
			t.Errorf("%s: %v, want %s", test.name, test.err, test.want.Name())
		}
	}
}

func TestKeysOfTheStandardLibraryComeBack(t *testing.T) {
	for _, key := range []interface {
		Public() crypto.PublicKey
	}{goRSA(), goEC(), ed25519.NewKeyFromSeed(make([]byte, 32)), must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)), must(ecdh.P256().GenerateKey(rand.Reader))} {
		public := must(soft.PublicTemplate(key.Public()))
		private := must(soft.PrivateTemplate(key))
		for _, template := range []object.Template{public, private} {
			got, err := soft.PublicKey(template)
			if err != nil {
				t.Errorf("%T: %v", key, err)
				continue
			}
			if dh, ok := key.Public().(*ecdh.PublicKey); ok {
				if b := must(got.(*ecdsa.PublicKey).Bytes()); !bytes.Equal(b, dh.Bytes()) {
					t.Errorf("%T comes back as another", key)
				}
				continue
			}
			if !got.(interface{ Equal(crypto.PublicKey) bool }).Equal(key.Public()) {
				t.Errorf("%T comes back as another", key)
			}
		}
		for origin, template := range map[string]object.Template{"public": public, "private": private} {
			if _, err := object.Complete(object.Created, template, false); err != nil {
				t.Errorf("%T, %s: %v", key, origin, err)
			}
		}
	}
	for _, nothing := range []any{nil, "key", (*rsa.PublicKey)(nil), (*ecdsa.PublicKey)(nil), &rsa.PublicKey{}, &ecdsa.PublicKey{}, (*ecdh.PublicKey)(nil),
		(*rsa.PrivateKey)(nil), (*ecdsa.PrivateKey)(nil), &rsa.PrivateKey{}, ed25519.PrivateKey{}, (*ecdh.PrivateKey)(nil)} {
		if _, err := soft.PublicTemplate(nothing); err == nil {
			t.Errorf("%T is a public key", nothing)
		}
		if _, err := soft.PrivateTemplate(nothing); ckr.Of(err) != ckr.KeyTypeInconsistent {
			t.Errorf("%T is a private key: %v", nothing, err)
		}
	}
	if _, err := soft.PublicKey(nil); ckr.Of(err) != ckr.KeyTypeInconsistent {
		t.Errorf("no template: %v", err)
	}
}

func TestOfferedMechanismsAreDone(t *testing.T) {
	keys := []object.Template{
		must(soft.PublicTemplate(goRSA().Public())), must(soft.PrivateTemplate(goRSA())),
		must(soft.PublicTemplate(goEC().Public())), must(soft.PrivateTemplate(goEC())),
		{object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES), object.AttrValue.Is(sixteen)},
		{object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyGenericSecret), object.AttrValue.Is(sixteen)},
	}
	all := soft.All(true)
	for _, template := range keys {
		m := must(soft.NewMaterial(template))
		for typ, info := range soft.Mechanisms(template, true) {
			if _, ok := all[typ]; !ok || !soft.Supports(typ, true) {
				t.Errorf("%v: %s is not among all", m, typ)
			}
			standard, known := mechanism.Functions(typ)
			if extra := info.Flags &^ standard & (1<<20 - 1); known && extra != 0 {
				t.Errorf("%v: %s is offered to %s, which the standard does not know", m, typ, extra)
			}
			h, prepared := mechanism.Prehash(mechanism.Raw{T: typ})
			if _, raw := prepared.(mechanism.Raw); raw || mechanism.Check(prepared) != nil {
				continue // it needs a parameter
			}
			input := make([]byte, 32)
			if h != 0 {
				input = make([]byte, h.Size())
			}
			if info.Flags.Has(mechanism.FlagSign) {
				if _, err := soft.Sign(m, prepared, input); err != nil {
					t.Errorf("%v: %s is offered for signing: %v", m, typ, err)
				}
			}
			if info.Flags.Has(mechanism.FlagEncrypt) {
				if _, err := soft.Encrypt(m, prepared, input); err != nil {
					t.Errorf("%v: %s is offered for encryption: %v", m, typ, err)
				}
			}
		}
	}
	for _, none := range []object.Template{nil, {object.AttrClass.Is(object.ClassData)},
		{object.AttrClass.Is(object.ClassPublicKey), object.AttrKeyType.Is(object.KeyEC), object.AttrECParams.Is([]byte{6, 5, 0x2b, 0x81, 4, 0, 0x0a})},
		{object.AttrClass.Is(object.ClassPublicKey), object.AttrKeyType.Is(object.KeyRSA), object.AttrModulus.Is(big.NewInt(15))}} {
		if got := soft.Mechanisms(none, true); len(got) != 0 {
			t.Errorf("%v has mechanisms: %v", none, got)
		}
	}
	rsaPublic := soft.Mechanisms(keys[0], true)[mechanism.TypeSHA256RSAPKCS]
	want := mechanism.Info{MinKeySize: 1024, MaxKeySize: 16384, Flags: mechanism.FlagVerify}
	if diff := cmp.Diff(want, rsaPublic); diff != "" {
		t.Error(diff)
	}
}

func TestHashesAreThoseOfDigestMechanisms(t *testing.T) {
	sum := must(soft.NewHash(mechanism.Digest{Hash: crypto.SHA256}))
	sum.Write([]byte("abc"))
	if got := hex.EncodeToString(sum.Sum(nil)); !strings.HasPrefix(got, "ba7816bf") {
		t.Errorf("SHA-256 of abc is %s", got)
	}
	for _, m := range []mechanism.Mechanism{nil, mechanism.ECDSA{}, mechanism.Digest{}} {
		if _, err := soft.NewHash(m); err == nil {
			t.Errorf("%v hashes", m)
		}
	}
}

func TestRSAKeysOfOtherMakersWork(t *testing.T) {
	key := goRSA()
	bare := object.Template{ // neither primes nor remainder parts
		object.AttrClass.Is(object.ClassPrivateKey), object.AttrKeyType.Is(object.KeyRSA), object.AttrModulus.Is(key.N),
		object.AttrPublicExponent.Is(big.NewInt(int64(key.E))), object.AttrPrivateExponent.Is(key.D),
	}
	sum := make([]byte, 32)
	mech := mechanism.RSAPKCS{Hash: crypto.SHA256, Digested: true}
	if err := soft.Verify(rsaPair().public, mech, sum, must(soft.Sign(must(soft.NewMaterial(bare)), mech, sum))); err != nil {
		t.Error(err)
	}
	raw := must(soft.Sign(rsaPair().private, mech, sum))
	if fips140.Enforced() {
		return
	}
	block := must(soft.Encrypt(rsaPair().public, mechanism.RSAX509{}, raw)) // the public operation undoes it
	if err := soft.Verify(rsaPair().public, mechanism.RSAX509{}, block, raw); err != nil {
		t.Error(err)
	}
}

// TestNothingPanicsInFIPSMode runs this package's tests again in the modes of
// the standard library.
func TestNothingPanicsInFIPSMode(t *testing.T) {
	if os.Getenv("SOFT_TEST_AGAIN") != "" {
		return
	}
	for _, mode := range []string{"on", "only"} {
		again := exec.CommandContext(t.Context(), must(os.Executable()), "-test.run=.", "-test.skip=Wycheproof(ECD|X25519)") // the modes do not touch those
		again.Env = append(os.Environ(), "SOFT_TEST_AGAIN=1", "GODEBUG=fips140="+mode)
		if out, err := again.CombinedOutput(); err != nil {
			t.Errorf("fips140=%s: %v\n%s", mode, err, out)
		}
	}
}

func FuzzUse(f *testing.F) {
	f.Add(uint64(mechanism.TypeRSAPKCS), []byte{}, []byte("data"), []byte("signature"))
	f.Add(uint64(mechanism.TypeAESCBCPad), make([]byte, 16), make([]byte, 32), []byte{})
	f.Fuzz(func(t *testing.T, typ uint64, param, data, more []byte) {
		keys := []*soft.Material{rsaPair().public, rsaPair().private, ecPair().public, ecPair().private, edPair().public, edPair().private, aesKey(), hmacKey()}
		mechs := []mechanism.Mechanism{
			mechanism.Raw{T: mechanism.Type(typ), Param: param}, mechanism.AESGCM{IV: param, AAD: more, TagBits: 96},
			mechanism.AESCTR{CB: param, CounterBits: int(typ % 130)}, mechanism.ECDH{Public: param, SharedData: more, KDF: mechanism.KDF(typ % 30)},
			mechanism.AESKeyWrap{}, mechanism.AESKeyWrapKWP{},
		}
		for _, key := range keys {
			for _, mech := range mechs {
				_, mech = mechanism.Prehash(mech)
				_, _ = soft.Sign(key, mech, data)
				_ = soft.Verify(key, mech, data, more)
				_, _ = soft.Encrypt(key, mech, data)
				_, _ = soft.Decrypt(key, mech, data)
				_, _ = soft.DeriveLength(key, mech, len(more))
			}
		}
		_, _ = soft.UnwrappedValues(object.Template{object.AttrClass.Is(object.ClassPrivateKey), object.AttrKeyType.Is(object.KeyRSA)}, data)
	})
}
