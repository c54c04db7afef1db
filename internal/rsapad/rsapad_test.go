package rsapad_test

import (
	"bytes"
	"crypto"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/rsapad"
	"github.com/go-cryptoki/cryptoki/internal/soft/wycheproof"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

var key = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// raw is the operation that a card does.
func raw(k *rsa.PrivateKey, in []byte) []byte {
	m := new(big.Int).Exp(new(big.Int).SetBytes(in), k.D, k.N)
	return m.FillBytes(make([]byte, k.Size()))
}

func public(k *rsa.PublicKey, in []byte) []byte {
	m := new(big.Int).Exp(new(big.Int).SetBytes(in), big.NewInt(int64(k.E)), k.N)
	return m.FillBytes(make([]byte, k.Size()))
}

func digest(h crypto.Hash, message []byte) []byte {
	sum := h.New()
	sum.Write(message)
	return sum.Sum(nil)
}

var hashes = map[string]crypto.Hash{
	"SHA-1": crypto.SHA1, "SHA-224": crypto.SHA224, "SHA-256": crypto.SHA256, "SHA-384": crypto.SHA384, "SHA-512": crypto.SHA512,
}

func TestSignaturesVerifyElsewhere(t *testing.T) {
	k := key()
	for _, h := range []crypto.Hash{
		crypto.MD5, crypto.SHA1, crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA512_224,
		crypto.SHA512_256, crypto.SHA3_224, crypto.SHA3_256, crypto.SHA3_384, crypto.SHA3_512,
	} {
		if !mechanism.Permitted(h) {
			continue
		}
		sum := digest(h, []byte("message"))
		info := must(rsapad.DigestInfo(h, sum))
		if err := rsa.VerifyPKCS1v15(&k.PublicKey, h, sum, raw(k, must(rsapad.PadSignature(k.Size(), info)))); err != nil {
			t.Errorf("PKCS #1 v1.5 with %v: %v", h, err)
		}
		for _, salt := range []int{0, 8, h.Size()} {
			block := must(rsapad.PSS(h, h, salt, sum, k.N.BitLen()))
			if err := rsa.VerifyPSS(&k.PublicKey, h, sum, raw(k, block), &rsa.PSSOptions{SaltLength: pssSalt(salt)}); err != nil {
				t.Errorf("PSS with %v and a salt of %d: %v", h, salt, err)
			}
			if err := rsapad.VerifyPSS(h, h, salt, sum, block, k.N.BitLen()); err != nil {
				t.Errorf("own PSS with %v and a salt of %d: %v", h, salt, err)
			}
		}
	}
}

// pssSalt asks the standard library for a length, where 0 means any.
func pssSalt(salt int) int {
	if salt == 0 {
		return rsa.PSSSaltLengthAuto
	}
	return salt
}

func TestPSSFitsModuliOfAnyLength(t *testing.T) {
	sum := digest(crypto.SHA256, nil)
	mgf := crypto.SHA512
	for bits := 1024; bits < 1024+17; bits++ {
		block := must(rsapad.PSS(crypto.SHA256, mgf, 32, sum, bits))
		if n := new(big.Int).SetBytes(block).BitLen(); len(block) != (bits+7)/8 || n > bits-1 {
			t.Errorf("%d bits: a block of %d bytes and %d bits", bits, len(block), n)
		}
		if err := rsapad.VerifyPSS(crypto.SHA256, mgf, 32, sum, block, bits); err != nil {
			t.Errorf("%d bits: %v", bits, err)
		}
		for _, i := range []int{0, 1, len(block) / 2, len(block) - 40, len(block) - 1} {
			broken := bytes.Clone(block)
			broken[i] ^= 0x80
			if err := rsapad.VerifyPSS(crypto.SHA256, mgf, 32, sum, broken, bits); !errors.Is(err, ckr.SignatureInvalid) {
				t.Errorf("%d bits: byte %d broken: %v", bits, i, err)
			}
		}
	}
}

func TestMessagesDecryptElsewhere(t *testing.T) {
	if fips140.Enforced() {
		return // the standard library does not decrypt what the mode forbids
	}
	k := key()
	for length := range 80 {
		message := bytes.Repeat([]byte{byte(length)}, length)
		sealed := public(&k.PublicKey, must(rsapad.PadMessage(k.Size(), message)))
		if got, err := rsa.DecryptPKCS1v15(nil, k, sealed); err != nil || !bytes.Equal(got, message) {
			t.Errorf("PKCS #1 v1.5, %d bytes: %x, %v", length, got, err)
		}
		sealed = public(&k.PublicKey, must(rsapad.PadOAEP(crypto.SHA256, crypto.SHA1, []byte("label"), message, k.Size())))
		got, err := k.Decrypt(nil, sealed, &rsa.OAEPOptions{Hash: crypto.SHA256, MGFHash: crypto.SHA1, Label: []byte("label")})
		if err != nil || !bytes.Equal(got, message) {
			t.Errorf("OAEP, %d bytes: %x, %v", length, got, err)
		}
	}
}

func TestSizesAreChecked(t *testing.T) {
	sum := make([]byte, 32)
	call := func(_ []byte, err error) ckr.Code { return ckr.Of(err) }
	tests := []struct {
		name string
		got  ckr.Code
		want ckr.Code
	}{
		{"short digest", call(rsapad.DigestInfo(crypto.SHA256, sum[:31])), ckr.DataLenRange},
		{"no such hash", call(rsapad.DigestInfo(crypto.BLAKE2s_256, sum)), ckr.MechanismParamInvalid},
		{"long signature input", call(rsapad.PadSignature(128, make([]byte, 118))), ckr.DataLenRange},
		{"longest signature input", call(rsapad.PadSignature(128, make([]byte, 117))), ckr.OK},
		{"tiny block", call(rsapad.PadSignature(5, nil)), ckr.DataLenRange},
		{"long message", call(rsapad.PadMessage(128, make([]byte, 118))), ckr.DataLenRange},
		{"PSS: short digest", call(rsapad.PSS(crypto.SHA256, crypto.SHA256, 32, sum[:31], 2048)), ckr.DataLenRange},
		{"PSS: short modulus", call(rsapad.PSS(crypto.SHA256, crypto.SHA256, 32, sum, 512)), ckr.KeySizeRange},
		{"PSS: tiny modulus", call(rsapad.PSS(crypto.SHA256, crypto.SHA256, 0, sum, 1)), ckr.KeySizeRange},
		{"PSS: negative salt", call(rsapad.PSS(crypto.SHA256, crypto.SHA256, -1, sum, 2048)), ckr.MechanismParamInvalid},
		{"PSS: no such hash", call(rsapad.PSS(crypto.SHA256, crypto.BLAKE2b_256, 32, sum, 2048)), ckr.MechanismInvalid},
		{"OAEP: long message", call(rsapad.PadOAEP(crypto.SHA256, crypto.SHA256, nil, make([]byte, 191), 256)), ckr.DataLenRange},
		{"OAEP: longest message", call(rsapad.PadOAEP(crypto.SHA256, crypto.SHA256, nil, make([]byte, 190), 256)), ckr.OK},
		{"OAEP: short block", call(rsapad.UnpadOAEP(crypto.SHA256, crypto.SHA256, nil, make([]byte, 65))), ckr.KeySizeRange},
		{"OAEP: no such hash", call(rsapad.UnpadOAEP(0, crypto.SHA256, nil, make([]byte, 256))), ckr.MechanismInvalid},
		{"no block", call(rsapad.UnpadMessage(nil)), ckr.EncryptedDataInvalid},
		{"session key that fits no block", call(rsapad.SessionKey(make([]byte, 16), 6)), ckr.EncryptedDataLenRange},
		{"session key of negative length", call(rsapad.SessionKey(make([]byte, 256), -1)), ckr.EncryptedDataLenRange},
	}
	for _, test := range tests {
		if test.got != test.want {
			t.Errorf("%s: %s, want %s", test.name, test.got.Name(), test.want.Name())
		}
	}
}

// block makes a block of PKCS #1 v1.5 for encryption with a given padding.
func block(lead, kind byte, padding int, separator byte, message string) []byte {
	out := append([]byte{lead, kind}, bytes.Repeat([]byte{0xaa}, padding)...)
	out = append(out, separator)
	return append(out, message...)
}

func TestPKCS1PaddingIsJudgedAsAWhole(t *testing.T) {
	noSeparator := bytes.Repeat([]byte{0xaa}, 64)
	noSeparator[0], noSeparator[1] = 0, 2
	tests := []struct {
		name    string
		block   []byte
		good    bool
		message string
	}{
		{"good", block(0, 2, 8, 0, "message"), true, "message"},
		{"empty message", block(0, 2, 61, 0, ""), true, ""},
		{"zeros in the message", block(0, 2, 8, 0, "\x00me\x00"), true, "\x00me\x00"},
		{"long padding", block(0, 2, 50, 0, "m"), true, "m"},
		{"first byte not 0", block(1, 2, 8, 0, "message"), false, ""},
		{"type 0", block(0, 0, 8, 0, "message"), false, ""},
		{"type 1", block(0, 1, 8, 0, "message"), false, ""},
		{"padding of 7", block(0, 2, 7, 0, "message"), false, ""},
		{"no padding", block(0, 2, 0, 0, "message"), false, ""},
		{"no separator", noSeparator, false, ""},
		{"zeros", make([]byte, 64), false, ""},
	}
	for _, test := range tests {
		got, err := rsapad.UnpadMessage(test.block)
		if test.good != (err == nil) || string(got) != test.message {
			t.Errorf("%s: %q, %v", test.name, got, err)
		}
		if err != nil && err.Error() != "RSA padding: bad encrypted data" {
			t.Errorf("%s: the error tells more than that: %v", test.name, err)
		}
		if len(test.message) == 0 {
			continue
		}
		session, err := rsapad.SessionKey(test.block, len(test.message))
		if err != nil || test.good != (string(session) == test.message) {
			t.Errorf("%s: session key %q, %v", test.name, session, err)
		}
	}
	good := block(0, 2, 20, 0, "message")
	if got := must(rsapad.SessionKey(good, 6)); string(got) == "essage" || string(got) == "messag" {
		t.Errorf("a session key of another length is %q", got)
	}
	if a, b := must(rsapad.SessionKey(make([]byte, 64), 16)), must(rsapad.SessionKey(make([]byte, 64), 16)); bytes.Equal(a, b) {
		t.Error("session keys of bad blocks are not random")
	}
	if diff := cmp.Diff(block(0, 2, 20, 0, "message"), good); diff != "" {
		t.Error("the block was changed", diff)
	}
}

func TestWycheproofPKCS1(t *testing.T) {
	for _, c := range wycheproof.Cases(t, "rsa_pkcs1_2048_test") {
		k := must(x509.ParsePKCS8PrivateKey(c.Bytes("privateKeyPkcs8"))).(*rsa.PrivateKey)
		sealed := c.Bytes("ct")
		if len(sealed) != k.Size() || new(big.Int).SetBytes(sealed).Cmp(k.N) >= 0 {
			if c.Valid() {
				t.Errorf("%s: valid and not of the key's length", c)
			}
			continue
		}
		got, err := rsapad.UnpadMessage(raw(k, sealed))
		if c.Valid() != (err == nil) || c.Valid() && !bytes.Equal(got, c.Bytes("msg")) {
			t.Errorf("%s: %x, %v", c, got, err)
		}
	}
}

func TestWycheproofOAEP(t *testing.T) {
	for _, file := range []string{"rsa_oaep_2048_sha256_mgf1sha1_test", "rsa_oaep_2048_sha256_mgf1sha256_test", "rsa_oaep_2048_sha512_mgf1sha512_test"} {
		for _, c := range wycheproof.Cases(t, file) {
			if !mechanism.Permitted(hashes[c.Text("mgfSha")]) {
				continue
			}
			k := must(x509.ParsePKCS8PrivateKey(c.Bytes("privateKeyPkcs8"))).(*rsa.PrivateKey)
			sealed := c.Bytes("ct")
			if len(sealed) != k.Size() || new(big.Int).SetBytes(sealed).Cmp(k.N) >= 0 {
				if c.Valid() {
					t.Errorf("%s: valid and not of the key's length", c)
				}
				continue
			}
			got, err := rsapad.UnpadOAEP(hashes[c.Text("sha")], hashes[c.Text("mgfSha")], c.Bytes("label"), raw(k, sealed))
			if c.Valid() != (err == nil) || c.Valid() && !bytes.Equal(got, c.Bytes("msg")) {
				t.Errorf("%s: %s: %x, %v", file, c, got, err)
			}
		}
	}
}

func TestWycheproofPSS(t *testing.T) {
	for _, file := range []string{"rsa_pss_2048_sha256_mgf1_32_test", "rsa_pss_2048_sha512_mgf1sha256_32_params_test"} {
		for _, c := range wycheproof.Cases(t, file) {
			n, _ := new(big.Int).SetString(c.Key("publicKey")["modulus"].(string), 16)
			e, _ := new(big.Int).SetString(c.Key("publicKey")["publicExponent"].(string), 16)
			k := &rsa.PublicKey{N: n, E: int(e.Int64())}
			signature := c.Bytes("sig")
			if len(signature) != k.Size() || new(big.Int).SetBytes(signature).Cmp(n) >= 0 {
				if c.Valid() {
					t.Errorf("%s: valid and not of the key's length", c)
				}
				continue
			}
			h := hashes[c.Text("sha")]
			err := rsapad.VerifyPSS(h, hashes[c.Text("mgfSha")], c.Int("sLen"), digest(h, c.Bytes("msg")), public(k, signature), n.BitLen())
			if c.Valid() != (err == nil) {
				t.Errorf("%s: %s: %v", file, c, err)
			}
		}
	}
}

func FuzzUnpad(f *testing.F) {
	f.Add(block(0, 2, 8, 0, "message"), []byte("label"))
	f.Add(must(rsapad.PadOAEP(crypto.SHA256, crypto.SHA256, []byte("label"), []byte("m"), 128)), []byte("label"))
	f.Fuzz(func(t *testing.T, block, label []byte) {
		before := bytes.Clone(block)
		message, err := rsapad.UnpadMessage(block)
		if err == nil && !bytes.HasSuffix(block, message) {
			t.Error("the message is not the end of the block")
		}
		if _, err := rsapad.SessionKey(block, 16); err != nil && len(block) >= 27 {
			t.Error(err)
		}
		_, _ = rsapad.UnpadOAEP(crypto.SHA256, crypto.SHA1, label, block)
		_ = rsapad.VerifyPSS(crypto.SHA256, crypto.SHA256, 32, make([]byte, 32), block, 8*len(block))
		if !bytes.Equal(before, block) {
			t.Error("the block was changed")
		}
	})
}
