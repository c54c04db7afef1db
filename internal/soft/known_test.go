package soft_test

import (
	"bytes"
	"crypto"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

func unhex(s string) []byte { return must(hex.DecodeString(s)) }

// TestKnownCiphertexts has answers from the documents of the modes.
func TestKnownCiphertexts(t *testing.T) {
	if fips140.Enforced() {
		return // the mode forbids some of them
	}
	chicken := "636869636b656e207465726979616b69" // RFC 3962 §B
	cts := "4920776f756c64206c696b65207468652047656e6572616c20476175277320"
	for _, c := range []struct {
		name       string
		kt         object.KeyType
		key        string
		m          mechanism.Mechanism
		plain, out string
	}{
		// RFC 3962 has CBC-CS3; CBC-CS1 has the last two blocks the other way
		// round.
		{"CTS, 17 bytes", object.KeyAES, chicken, mechanism.AESCTS{IV: make([]byte, 16)}, cts[:34], "97" + "c6353568f2bf8cb4d8a580362da7ff7f"},
		{"CTS, 31 bytes", object.KeyAES, chicken, mechanism.AESCTS{IV: make([]byte, 16)}, cts[:62], "97687268d6ecccc0c07b25e25ecfe5" + "fc00783e0efdb2c1d445d4c8eff7ed22"},
		// SP 800-38C, examples 1 and 2.
		{"CCM 1", object.KeyAES, "404142434445464748494a4b4c4d4e4f", mechanism.AESCCM{Nonce: unhex("10111213141516"), AAD: unhex("0001020304050607"), MACLen: 4},
			"20212223", "7162015b4dac255d"},
		{"CCM 2", object.KeyAES, "404142434445464748494a4b4c4d4e4f", mechanism.AESCCM{Nonce: unhex("1011121314151617"), AAD: unhex("000102030405060708090a0b0c0d0e0f"), MACLen: 6},
			"202122232425262728292a2b2c2d2e2f", "d2a1f0e051ea5f62081a7792073d593d1fc64fbfaccd"},
		// IEEE 1619, vectors 1 and 15.
		{"XTS 15", object.KeyAESXTS, "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0bfbebdbcbbbab9b8b7b6b5b4b3b2b1b0", mechanism.AESXTS{Tweak: unhex("9a785634120000000000000000000000")},
			"000102030405060708090a0b0c0d0e0f10", "6c1625db4671522d3d7599601de7ca09ed"},
		// RFC 8439 §2.8.2.
		{"ChaCha20-Poly1305", object.KeyChaCha20, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
			mechanism.ChaCha20Poly1305{Nonce: unhex("070000004041424344454647"), AAD: unhex("50515253c0c1c2c3c4c5c6c7")},
			hex.EncodeToString([]byte("Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.")),
			"d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36" +
				"92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116" + "1ae10b594f09e26a7e902ecbd0600691"},
		// FIPS 81, and NIST's example of triple DES.
		{"DES ECB", object.KeyDES, "0123456789abcdef", mechanism.DESECB{}, "4e6f772069732074", "3fa40e8a984d4815"},
		{"DES CBC", object.KeyDES, "0123456789abcdef", mechanism.DESCBC{IV: unhex("1234567890abcdef")}, "4e6f77206973207468652074696d6520", "e5c7cdde872bf27c43e934008c389c0f"},
		{"triple DES ECB", object.KeyDES3, "0123456789abcdef23456789abcdef01456789abcdef0123", mechanism.DES3ECB{}, "5468652071756663", "a826fd8ce53b855f"},
	} {
		key := must(secret(c.kt, unhex(c.key)))
		got, err := soft.Encrypt(key, c.m, unhex(c.plain))
		if err != nil || hex.EncodeToString(got) != c.out {
			t.Errorf("%s: %x, %v, want %s", c.name, got, err, c.out)
		}
		if got, err = soft.Decrypt(key, c.m, unhex(c.out)); err != nil || hex.EncodeToString(got) != c.plain {
			t.Errorf("%s back: %x, %v", c.name, got, err)
		}
	}
}

// TestDerivationsAreThoseOfTheirDocuments computes each derivation by hand
// beside.
func TestDerivationsAreThoseOfTheirDocuments(t *testing.T) {
	base, other := bytes.Repeat([]byte{0x5a}, 32), []byte("another key, not so long")
	key := must(secret(object.KeyGenericSecret, base))
	prf := func(parts ...[]byte) []byte {
		m := hmac.New(sha256.New, base)
		m.Write(bytes.Join(parts, nil))
		return m.Sum(nil)
	}
	be32 := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	label, sum := []byte("label\x00context"), sha256.Sum256(base)
	counter := []mechanism.Field{{Kind: mechanism.IterationField, Width: 32}, {Kind: mechanism.BytesField, Bytes: label}, {Kind: mechanism.LengthField, Width: 32}}
	feedback := append([]mechanism.Field{}, counter...)
	feedback = append(feedback, mechanism.Field{Kind: mechanism.CounterField, Width: 8})
	k1, iv := prf(be32(1), label, be32(320)), []byte("initial value")
	f1 := prf(iv, label, be32(320), []byte{1})
	fixed := append(bytes.Clone(label), be32(320)...)
	a1 := prf(fixed)
	a2 := prf(a1)
	hmac256 := mechanism.HMAC{Hash: crypto.SHA256}
	shift := bytes.Repeat([]byte{0x5a<<3&0xff | 0x5a>>5}, 16)
	for _, c := range []struct {
		name   string
		m      mechanism.Mechanism
		length int
		others [][]byte
		want   []byte
	}{
		{"base and key", mechanism.ConcatenateBaseAndKey{Key: anyKey{}}, 0, [][]byte{other}, append(bytes.Clone(base), other...)},
		{"base and data", mechanism.ConcatenateBaseAndData{Data: other}, 0, nil, append(bytes.Clone(base), other...)},
		{"data and base", mechanism.ConcatenateDataAndBase{Data: other}, 56, nil, append(bytes.Clone(other), base...)},
		{"XOR", mechanism.XORBaseAndData{Data: bytes.Repeat([]byte{0xff}, 32)}, 0, nil, bytes.Repeat([]byte{0xa5}, 32)},
		{"extract, round the end", mechanism.ExtractKeyFromKey{Bit: 251}, 16, nil, shift},
		{"hash", mechanism.HashDerive{Hash: crypto.SHA256}, 0, nil, sum[:]},
		{"hash, shorter", mechanism.HashDerive{Hash: crypto.SHA256}, 16, nil, sum[:16]},
		{"counter mode", mechanism.KBKDF{PRF: hmac256, Fields: counter}, 40, nil, append(bytes.Clone(k1), prf(be32(2), label, be32(320))[:8]...)},
		{"feedback mode", mechanism.KBKDF{Mode: mechanism.FeedbackMode, PRF: hmac256, IV: iv, Fields: feedback}, 40, nil,
			append(bytes.Clone(f1), prf(f1, label, be32(320), []byte{2})[:8]...)},
		{"double pipeline mode", mechanism.KBKDF{Mode: mechanism.DoublePipelineMode, PRF: hmac256, Fields: feedback}, 40, nil,
			append(prf(a1, label, be32(320), []byte{1}), prf(a2, label, be32(320), []byte{2})[:8]...)},
	} {
		got, err := soft.DeriveLength(key, c.m, c.length, c.others...)
		if err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s: %x, %v, want %x", c.name, got, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		m      mechanism.Mechanism
		length int
		want   ckr.Code
	}{
		"a hash that is too short": {mechanism.HashDerive{Hash: crypto.SHA256}, 33, ckr.KeySizeRange},
		"no length":                {mechanism.ExtractKeyFromKey{}, 0, ckr.TemplateIncomplete},
		"no such bit":              {mechanism.ExtractKeyFromKey{Bit: 256}, 16, ckr.MechanismParamInvalid},
		"a counter that is full":   {mechanism.KBKDF{PRF: hmac256, Fields: []mechanism.Field{{Kind: mechanism.IterationField, Width: 8}}}, 32*255 + 1, ckr.KeySizeRange},
		"no iteration":             {mechanism.KBKDF{PRF: hmac256}, 32, ckr.MechanismParamInvalid},
		"a key that is not given":  {mechanism.ConcatenateBaseAndKey{Key: anyKey{}}, 0, ckr.MechanismParamInvalid},
		"more than anyone needs":   {mechanism.SHAKEDerive{Bits: 256}, 1 << 20, ckr.KeySizeRange},
	} {
		if _, err := soft.DeriveLength(key, c.m, c.length); ckr.Of(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want.Name())
		}
	}
}

type anyKey struct{}

func (anyKey) IsKeyRef() {}
