package soft_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/internal/soft/wycheproof"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var hashNames = map[string]crypto.Hash{
	"SHA-1": crypto.SHA1, "SHA-224": crypto.SHA224, "SHA-256": crypto.SHA256, "SHA-384": crypto.SHA384, "SHA-512": crypto.SHA512,
}

func digest(h crypto.Hash, message []byte) []byte {
	sum := h.New()
	sum.Write(message)
	return sum.Sum(nil)
}

// secret makes a secret key of a type.
func secret(key object.KeyType, value []byte) (*soft.Material, error) {
	return soft.NewMaterial(object.Template{
		object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(key), object.AttrValue.Is(value),
	})
}

func public(key crypto.PublicKey) (*soft.Material, error) {
	t, err := soft.PublicTemplate(key)
	if err != nil {
		return nil, err
	}
	return soft.NewMaterial(t)
}

func private(key crypto.PrivateKey) (*soft.Material, error) {
	t, err := soft.PrivateTemplate(key)
	if err != nil {
		return nil, err
	}
	return soft.NewMaterial(t)
}

// judge compares what came of a case with what it wants.
func judge(t *testing.T, c wycheproof.Case, got []byte, err error, want []byte) {
	t.Helper()
	switch {
	case c.Acceptable(), forbidden(err):
	case c.Valid() != (err == nil):
		t.Errorf("%s: %v", c, err)
	case c.Valid() && !bytes.Equal(got, want):
		t.Errorf("%s: %x, want %x", c, got, want)
	}
}

func TestWycheproofRSASignatures(t *testing.T) {
	for _, c := range wycheproof.Cases(t, "rsa_signature_2048_sha256_test") {
		m := must(public(rsaKeyOf(c)))
		_, mech := mechanism.Prehash(mechanism.RSAPKCS{Hash: crypto.SHA256})
		judge(t, c, nil, soft.Verify(m, mech, digest(crypto.SHA256, c.Bytes("msg")), c.Bytes("sig")), nil)
	}
	for _, file := range []string{"rsa_pss_2048_sha256_mgf1_32_test", "rsa_pss_2048_sha512_mgf1sha256_32_params_test"} {
		for _, c := range wycheproof.Cases(t, file) {
			h := hashNames[c.Text("sha")]
			mech := mechanism.RSAPSS{Hash: h, MGF: hashNames[c.Text("mgfSha")], Salt: c.Int("sLen"), Digested: true}
			judge(t, c, nil, soft.Verify(must(public(rsaKeyOf(c))), mech, digest(h, c.Bytes("msg")), c.Bytes("sig")), nil)
		}
	}
}

func rsaKeyOf(c wycheproof.Case) *rsa.PublicKey {
	n, _ := new(big.Int).SetString(c.Key("publicKey")["modulus"].(string), 16)
	e, _ := new(big.Int).SetString(c.Key("publicKey")["publicExponent"].(string), 16)
	return &rsa.PublicKey{N: n, E: int(e.Int64())}
}

func TestWycheproofRSADecryption(t *testing.T) {
	if fips140.Enforced() {
		return // the mode forbids the padding, or the hash function of some
	}
	for _, c := range wycheproof.Cases(t, "rsa_pkcs1_2048_test") {
		m := must(private(must(x509.ParsePKCS8PrivateKey(c.Bytes("privateKeyPkcs8")))))
		got, err := soft.Decrypt(m, mechanism.RSAPKCS{}, c.Bytes("ct"))
		judge(t, c, got, err, c.Bytes("msg"))
	}
	for _, file := range []string{"rsa_oaep_2048_sha256_mgf1sha1_test", "rsa_oaep_2048_sha256_mgf1sha256_test"} {
		for _, c := range wycheproof.Cases(t, file) {
			m := must(private(must(x509.ParsePKCS8PrivateKey(c.Bytes("privateKeyPkcs8")))))
			mech := mechanism.RSAOAEP{Hash: hashNames[c.Text("sha")], MGF: hashNames[c.Text("mgfSha")], Label: c.Bytes("label")}
			got, err := soft.Decrypt(m, mech, c.Bytes("ct"))
			judge(t, c, got, err, c.Bytes("msg"))
		}
	}
}

func TestWycheproofECDSA(t *testing.T) {
	for file, curve := range map[string]elliptic.Curve{"ecdsa_secp256r1_sha256_test": elliptic.P256(), "ecdsa_secp521r1_sha512_test": elliptic.P521()} {
		for _, c := range wycheproof.Cases(t, file) {
			key, err := x509.ParsePKIXPublicKey(c.Bytes("publicKeyDer"))
			if err != nil {
				t.Fatalf("%s: %v", c, err)
			}
			h := hashNames[c.Text("sha")]
			raw, err := mechanism.ECDSAFromASN1(c.Bytes("sig"), (curve.Params().BitSize+7)/8)
			if err == nil {
				err = soft.Verify(must(public(key.(*ecdsa.PublicKey))), mechanism.ECDSA{}, digest(h, c.Bytes("msg")), raw)
			}
			judge(t, c, nil, err, nil)
		}
	}
}

func TestWycheproofEd25519(t *testing.T) {
	for _, c := range wycheproof.Cases(t, "ed25519_test") {
		pk, _ := c.Key("publicKey")["pk"].(string)
		m, err := public(ed25519.PublicKey(fromHex(t, pk)))
		if err == nil {
			err = soft.Verify(m, mechanism.EdDSA{}, c.Bytes("msg"), c.Bytes("sig"))
		}
		judge(t, c, nil, err, nil)
	}
}

func fromHex(t *testing.T, s string) []byte {
	t.Helper()
	n, ok := new(big.Int).SetString("1"+s, 16)
	if !ok {
		t.Fatalf("%q is not hexadecimal", s)
	}
	return n.Bytes()[1:]
}

func TestWycheproofECDH(t *testing.T) {
	for _, name := range []string{"secp256r1", "secp384r1", "secp521r1"} {
		for _, c := range wycheproof.Cases(t, "ecdh_"+name+"_ecpoint_test") {
			m := must(agreeing(name, object.KeyEC, c.Bytes("private")))
			got, err := soft.Derive(m, mechanism.ECDH{Public: c.Bytes("public")})
			if c.Has("CompressedPoint") { // PKCS #11 has uncompressed points only
				if ckr.Of(err) != ckr.MechanismParamInvalid {
					t.Errorf("%s: %v", c, err)
				}
				continue
			}
			judge(t, c, got, err, c.Bytes("shared"))
		}
	}
}

func agreeing(curve string, key object.KeyType, value []byte) (*soft.Material, error) {
	c, _ := object.CurveByName(curve)
	return soft.NewMaterial(object.Template{
		object.AttrClass.Is(object.ClassPrivateKey), object.AttrKeyType.Is(key),
		object.AttrECParams.Is(c.Params()), object.AttrValue.Is(value),
	})
}

func TestWycheproofX25519(t *testing.T) {
	if fips140.Enforced() {
		return // the mode forbids the curve
	}
	for _, c := range wycheproof.Cases(t, "x25519_test") {
		got, err := soft.Derive(must(agreeing("X25519", object.KeyECMontgomery, c.Bytes("private"))), mechanism.ECDH{Public: c.Bytes("public")})
		if bytes.Equal(c.Bytes("shared"), make([]byte, 32)) {
			if ckr.Of(err) != ckr.MechanismParamInvalid {
				t.Errorf("%s: a secret of zeros is no secret: %v", c, err)
			}
			continue
		}
		if err != nil || !bytes.Equal(got, c.Bytes("shared")) {
			t.Errorf("%s: %x, %v", c, got, err)
		}
	}
}

func TestWycheproofGCM(t *testing.T) {
	if fips140.Enforced() {
		return // the mode forbids vectors chosen by the caller
	}
	for _, c := range wycheproof.Cases(t, "aes_gcm_test") {
		mech := mechanism.AESGCM{IV: c.Bytes("iv"), AAD: c.Bytes("aad"), TagBits: c.Int("tagSize")}
		m := must(secret(object.KeyAES, c.Bytes("key")))
		sealed := append(c.Bytes("ct"), c.Bytes("tag")...)
		got, err := soft.Decrypt(m, mech, sealed)
		judge(t, c, got, err, c.Bytes("msg"))
		if c.Valid() {
			again, err := soft.Encrypt(m, mech, c.Bytes("msg"))
			judge(t, c, again, err, sealed)
		}
		if !c.Valid() || len(sealed) < 16 {
			continue
		}
		short := mech // a shorter tag is the beginning of the long one
		short.TagBits = 96
		got, err = soft.Decrypt(m, short, sealed[:len(sealed)-4])
		judge(t, c, got, err, c.Bytes("msg"))
		sealed[len(sealed)-5] ^= 1
		if _, err := soft.Decrypt(m, short, sealed[:len(sealed)-4]); ckr.Of(err) != ckr.EncryptedDataInvalid {
			t.Errorf("%s: with a broken short tag: %v", c, err)
		}
	}
}

func TestWycheproofCBCPad(t *testing.T) {
	for _, c := range wycheproof.Cases(t, "aes_cbc_pkcs5_test") {
		m, mech := must(secret(object.KeyAES, c.Bytes("key"))), mechanism.AESCBCPad{IV: c.Bytes("iv")}
		got, err := soft.Decrypt(m, mech, c.Bytes("ct"))
		judge(t, c, got, err, c.Bytes("msg"))
		if c.Valid() {
			got, err = soft.Encrypt(m, mech, c.Bytes("msg"))
			judge(t, c, got, err, c.Bytes("ct"))
		}
	}
}

func TestWycheproofMACs(t *testing.T) {
	files := map[string]func(c wycheproof.Case, length int) mechanism.Mechanism{
		"aes_cmac_test": func(_ wycheproof.Case, n int) mechanism.Mechanism { return mechanism.AESCMAC{Length: n} },
		"hmac_sha256_test": func(_ wycheproof.Case, n int) mechanism.Mechanism {
			return mechanism.HMAC{Hash: crypto.SHA256, Length: n}
		},
		"hmac_sha3_256_test": func(_ wycheproof.Case, n int) mechanism.Mechanism {
			return mechanism.HMAC{Hash: crypto.SHA3_256, Length: n}
		},
	}
	for file, make := range files {
		key := object.KeyGenericSecret
		if file == "aes_cmac_test" {
			key = object.KeyAES
		}
		for _, c := range wycheproof.Cases(t, file) {
			m, err := secret(key, c.Bytes("key"))
			if err == nil {
				err = soft.Verify(m, make(c, c.Int("tagSize")/8), c.Bytes("msg"), c.Bytes("tag"))
			}
			if ckr.Of(err) == ckr.MechanismInvalid && fips140.Enforced() {
				continue // a short key
			}
			judge(t, c, nil, err, nil)
		}
	}
}

func TestWycheproofKeyWrap(t *testing.T) {
	files := map[string]mechanism.Mechanism{"aes_wrap_test": mechanism.AESKeyWrap{}, "aes_kwp_test": mechanism.AESKeyWrapKWP{}}
	for file, mech := range files {
		for _, c := range wycheproof.Cases(t, file) {
			m, err := secret(object.KeyAES, c.Bytes("key"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := soft.Decrypt(m, mech, c.Bytes("ct"))
			judge(t, c, got, err, c.Bytes("msg"))
			if c.Valid() {
				got, err = soft.Encrypt(m, mech, c.Bytes("msg"))
				judge(t, c, got, err, c.Bytes("ct"))
			}
		}
	}
}
