package mechanism_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/spec"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

func TestEveryMechanismHasItsNameAndNumber(t *testing.T) {
	rows, err := spec.Rows("constants.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if row["kind"] != "mechanism" {
			continue
		}
		typ, ok := mechanism.ParseType(row["name"])
		if !ok || fmt.Sprintf("%#08x", uint64(typ)) != row["value"] {
			t.Errorf("%s = %#x, %v, want %s", row["name"], uint64(typ), ok, row["value"])
		}
		if row["alias_of"] == "" && typ.String() != row["name"] {
			t.Errorf("%s prints as %s", row["name"], typ)
		}
	}
	if got := mechanism.Type(0x80001234).String(); got != "CKM_0x80001234" {
		t.Errorf("a maker's mechanism prints as %s", got)
	}
	if _, ok := mechanism.ParseType("CKM_NONE"); ok {
		t.Error("CKM_NONE is known")
	}
}

func TestFunctionsAndUnitsAreThoseOfTheTable(t *testing.T) {
	rows, err := spec.Rows("mechanisms.tsv")
	if err != nil {
		t.Fatal(err)
	}
	flags := map[string]mechanism.Flags{
		"encrypt": mechanism.FlagEncrypt, "sign": mechanism.FlagSign, "verify": mechanism.FlagVerify, "digest": mechanism.FlagDigest,
		"wrap": mechanism.FlagWrap, "derive": mechanism.FlagDerive, "generate_key_pair": mechanism.FlagGenerateKeyPair,
	}
	for _, row := range rows {
		typ, _ := mechanism.ParseType(row["mechanism"])
		got, ok := mechanism.Functions(typ)
		if !ok {
			t.Errorf("%s has no functions", row["mechanism"])
		}
		for column, flag := range flags {
			if got.Has(flag) != (row[column] == "1") {
				t.Errorf("%s: %s is %v", row["mechanism"], column, got.Has(flag))
			}
		}
	}
	for typ, want := range map[mechanism.Type]mechanism.KeyUnit{
		mechanism.TypeRSAPKCS: mechanism.Bits, mechanism.TypeECDSA: mechanism.Bits, mechanism.TypeAESGCM: mechanism.Bytes,
		mechanism.TypeSHA256: mechanism.NoUnit, mechanism.TypeVendorDefined: mechanism.NoUnit,
	} {
		if got := mechanism.Unit(typ); got != want {
			t.Errorf("unit of %s is %s, want %s", typ, got, want)
		}
	}
	if got, want := (mechanism.FlagSign | mechanism.FlagVerify | mechanism.FlagHW).String(), "hardware sign verify"; got != want {
		t.Errorf("flags print as %q, want %q", got, want)
	}
}

func TestFieldsSayTheType(t *testing.T) {
	tests := map[string]mechanism.Mechanism{
		"CKM_RSA_PKCS":                   mechanism.RSAPKCS{},
		"CKM_SHA256_RSA_PKCS":            mechanism.RSAPKCS{Hash: crypto.SHA256},
		"CKM_SHA3_512_RSA_PKCS":          mechanism.RSAPKCS{Hash: crypto.SHA3_512},
		"CKM_RSA_X_509":                  mechanism.RSAX509{},
		"CKM_SHA384_RSA_PKCS_PSS":        mechanism.RSAPSS{Hash: crypto.SHA384},
		"CKM_RSA_PKCS_PSS":               mechanism.RSAPSS{Hash: crypto.SHA384, Digested: true},
		"CKM_RSA_PKCS_OAEP":              mechanism.RSAOAEP{},
		"CKM_ECDSA":                      mechanism.ECDSA{},
		"CKM_ECDSA_SHA1":                 mechanism.ECDSA{Hash: crypto.SHA1},
		"CKM_EDDSA":                      mechanism.EdDSA{},
		"CKM_ECDH1_DERIVE":               mechanism.ECDH{},
		"CKM_ECDH1_COFACTOR_DERIVE":      mechanism.ECDH{Cofactor: true},
		"CKM_SHA_1":                      mechanism.Digest{Hash: crypto.SHA1},
		"CKM_SHA512_256_HMAC":            mechanism.HMAC{Hash: crypto.SHA512_256},
		"CKM_SHA256_HMAC_GENERAL":        mechanism.HMAC{Hash: crypto.SHA256, Length: 16},
		"CKM_AES_ECB":                    mechanism.AESECB{},
		"CKM_AES_CBC":                    mechanism.AESCBC{},
		"CKM_AES_CBC_PAD":                mechanism.AESCBCPad{},
		"CKM_AES_CTR":                    mechanism.AESCTR{},
		"CKM_AES_GCM":                    mechanism.AESGCM{},
		"CKM_AES_CMAC":                   mechanism.AESCMAC{},
		"CKM_AES_CMAC_GENERAL":           mechanism.AESCMAC{Length: 8},
		"CKM_AES_KEY_WRAP":               mechanism.AESKeyWrap{},
		"CKM_AES_KEY_WRAP_KWP":           mechanism.AESKeyWrapKWP{},
		"CKM_RSA_PKCS_KEY_PAIR_GEN":      mechanism.RSAKeyPairGen{},
		"CKM_EC_KEY_PAIR_GEN":            mechanism.ECKeyPairGen{},
		"CKM_EC_EDWARDS_KEY_PAIR_GEN":    mechanism.ECEdwardsKeyPairGen{},
		"CKM_EC_MONTGOMERY_KEY_PAIR_GEN": mechanism.ECMontgomeryKeyPairGen{},
		"CKM_AES_KEY_GEN":                mechanism.AESKeyGen{},
		"CKM_GENERIC_SECRET_KEY_GEN":     mechanism.GenericSecretKeyGen{},
		"CKM_DES3_CBC":                   mechanism.Raw{T: mechanism.TypeDES3CBC},
		"CKM_0xffffffffffffffff":         mechanism.ECDSA{Hash: crypto.SHA512_224}, // which the standard does not have
	}
	for want, m := range tests {
		if got := m.Type().String(); got != want {
			t.Errorf("%#v is %s, want %s", m, got, want)
		}
	}
}

func TestHashingComesFirst(t *testing.T) {
	ed := mechanism.EdDSA{Prehash: true}
	edDigested := mechanism.EdDSA{Prehash: true, Digested: true}
	tests := []struct {
		m    mechanism.Mechanism
		hash crypto.Hash
		want mechanism.Mechanism
	}{
		{mechanism.RSAPKCS{Hash: crypto.SHA256}, crypto.SHA256, mechanism.RSAPKCS{Hash: crypto.SHA256, Digested: true}},
		{mechanism.RSAPKCS{Hash: crypto.SHA256, Digested: true}, 0, mechanism.RSAPKCS{Hash: crypto.SHA256, Digested: true}},
		{mechanism.RSAPKCS{}, 0, mechanism.RSAPKCS{}},
		{mechanism.RSAPSS{Hash: crypto.SHA256, Salt: 20}, crypto.SHA256, mechanism.RSAPSS{Hash: crypto.SHA256, Salt: 20, Digested: true}},
		{mechanism.RSAPSS{Hash: crypto.SHA256, Digested: true}, 0, mechanism.RSAPSS{Hash: crypto.SHA256, Digested: true}},
		{mechanism.ECDSA{Hash: crypto.SHA384}, crypto.SHA384, mechanism.ECDSA{}},
		{mechanism.ECDSA{}, 0, mechanism.ECDSA{}},
		{ed, crypto.SHA512, edDigested},
		{edDigested, 0, edDigested},
		{mechanism.EdDSA{}, 0, mechanism.EdDSA{}},
		{mechanism.HMAC{Hash: crypto.SHA256}, 0, mechanism.HMAC{Hash: crypto.SHA256}},
		{mechanism.Raw{T: mechanism.TypeECDSASHA256}, crypto.SHA256, mechanism.ECDSA{}},
		{&mechanism.ECDSA{Hash: crypto.SHA384}, crypto.SHA384, mechanism.ECDSA{}},
		{nil, 0, nil},
	}
	for _, test := range tests {
		hash, prepared := mechanism.Prehash(test.m)
		if diff := cmp.Diff(test.want, prepared); hash != test.hash || diff != "" {
			t.Errorf("%#v: %v, (-want +got):\n%s", test.m, hash, diff)
		}
		if again, _ := mechanism.Prehash(prepared); again != 0 {
			t.Errorf("%#v is hashed twice", test.m)
		}
	}
}

func TestRawMechanismsFindTheirType(t *testing.T) {
	iv := bytes.Repeat([]byte{7}, 16)
	number := func(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }
	tests := []struct {
		raw  mechanism.Raw
		want mechanism.Mechanism
	}{
		{mechanism.Raw{T: mechanism.TypeSHA256RSAPKCS}, mechanism.RSAPKCS{Hash: crypto.SHA256}},
		{mechanism.Raw{T: mechanism.TypeRSAX509}, mechanism.RSAX509{}},
		{mechanism.Raw{T: mechanism.TypeSHA512}, mechanism.Digest{Hash: crypto.SHA512}},
		{mechanism.Raw{T: mechanism.TypeSHA256HMAC}, mechanism.HMAC{Hash: crypto.SHA256}},
		{mechanism.Raw{T: mechanism.TypeAESCBC, Param: iv}, mechanism.AESCBC{IV: iv}},
		{mechanism.Raw{T: mechanism.TypeAESCBCPad}, mechanism.AESCBCPad{}},
		{mechanism.Raw{T: mechanism.TypeAESKeyWrap}, mechanism.AESKeyWrap{}},
		{mechanism.Raw{T: mechanism.TypeAESKeyGen}, mechanism.AESKeyGen{}},
		{mechanism.Raw{T: mechanism.TypeAESGCM, Param: iv}, mechanism.Raw{T: mechanism.TypeAESGCM, Param: iv}},
		{mechanism.Raw{T: mechanism.TypeECDSA, Param: iv}, mechanism.Raw{T: mechanism.TypeECDSA, Param: iv}},
		{mechanism.Raw{T: mechanism.TypeSHA256HMACGeneral, Param: number(12)}, mechanism.HMAC{Hash: crypto.SHA256, Length: 12}},
		{mechanism.Raw{T: mechanism.TypeSHA512_224HMACGeneral, Param: number(4)}, mechanism.HMAC{Hash: crypto.SHA512_224, Length: 4}},
		{mechanism.Raw{T: mechanism.TypeAESCMACGeneral, Param: number(8)}, mechanism.AESCMAC{Length: 8}},
		{mechanism.Raw{T: mechanism.TypeExtractKeyFromKey, Param: number(0)}, mechanism.ExtractKeyFromKey{}},
		{mechanism.Raw{T: mechanism.TypeSHA256HMACGeneral, Param: number(0)}, mechanism.Raw{T: mechanism.TypeSHA256HMACGeneral, Param: number(0)}},
		{mechanism.Raw{T: mechanism.TypeSHA256HMACGeneral, Param: number(1 << 40)}, mechanism.Raw{T: mechanism.TypeSHA256HMACGeneral, Param: number(1 << 40)}},
		{mechanism.Raw{T: mechanism.TypeDESCBC, Param: iv[:8]}, mechanism.DESCBC{IV: iv[:8]}},
		{mechanism.Raw{T: 0x80000001}, mechanism.Raw{T: 0x80000001}},
		{mechanism.Raw{T: mechanism.Unavailable, Param: number(4)}, mechanism.Raw{T: mechanism.Unavailable, Param: number(4)}},
		{mechanism.Raw{T: mechanism.Unavailable}, mechanism.Raw{T: mechanism.Unavailable}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, mechanism.Resolve(test.raw)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.raw.T, diff)
		}
	}
}

func TestBadParametersAreRefusedBeforeAnyCard(t *testing.T) {
	iv := make([]byte, 16)
	tests := []struct {
		name string
		m    mechanism.Mechanism
		want ckr.Code
	}{
		{"nothing", nil, ckr.MechanismInvalid},
		{"nil pointer", (*mechanism.ECDSA)(nil), ckr.MechanismInvalid},
		{"a number no one has", mechanism.Raw{T: 0x7ffffff0}, ckr.MechanismInvalid},
		{"a maker's mechanism", mechanism.Raw{T: 0x80000001, Param: iv}, ckr.OK},
		{"another known mechanism", mechanism.Raw{T: mechanism.TypeDES3CBC, Param: iv[:8]}, ckr.OK},
		{"PKCS #1", mechanism.RSAPKCS{}, ckr.OK},
		{"PKCS #1 with a hash that is not linked", mechanism.RSAPKCS{Hash: crypto.RIPEMD160}, ckr.MechanismParamInvalid},
		{"PKCS #1 with a hash that is none", mechanism.RSAPKCS{Hash: 99}, ckr.MechanismParamInvalid},
		{"PKCS #1 with a hash that it is not made with", mechanism.RSAPKCS{Hash: crypto.SHA512_256}, ckr.MechanismParamInvalid},
		{"PSS", mechanism.RSAPSS{Hash: crypto.SHA256}, ckr.OK},
		{"PSS without a salt", mechanism.RSAPSS{Hash: crypto.SHA256, Salt: mechanism.NoSalt}, ckr.OK},
		{"PSS with two hashes", mechanism.RSAPSS{Hash: crypto.SHA256, MGF: crypto.SHA384}, ckr.OK},
		{"PSS without a hash", mechanism.RSAPSS{}, ckr.MechanismParamInvalid},
		{"PSS with a negative salt", mechanism.RSAPSS{Hash: crypto.SHA256, Salt: -2}, ckr.MechanismParamInvalid},
		{"PSS with a salt that fits no key", mechanism.RSAPSS{Hash: crypto.SHA256, Salt: 1 << 20}, ckr.MechanismParamInvalid},
		{"PSS with a mask of no hash", mechanism.RSAPSS{Hash: crypto.SHA256, MGF: crypto.BLAKE2b_512}, ckr.MechanismParamInvalid},
		{"OAEP without a hash", mechanism.RSAOAEP{}, ckr.MechanismParamInvalid},
		{"OAEP", mechanism.RSAOAEP{Hash: crypto.SHA256, Label: []byte("l")}, ckr.OK},
		{"ECDSA with MD5", mechanism.ECDSA{Hash: crypto.MD5}, ckr.MechanismParamInvalid},
		{"EdDSA with a long context", mechanism.EdDSA{Context: make([]byte, 256)}, ckr.MechanismParamInvalid},
		{"EdDSA of a digest", mechanism.EdDSA{Digested: true}, ckr.MechanismParamInvalid},
		{"ECDH without a key", mechanism.ECDH{}, ckr.MechanismParamInvalid},
		{"ECDH with a huge key", mechanism.ECDH{Public: make([]byte, 4096)}, ckr.MechanismParamInvalid},
		{"ECDH", mechanism.ECDH{Public: []byte{4}}, ckr.OK},
		{"ECDH with a KDF", mechanism.ECDH{Public: []byte{4}, KDF: mechanism.KDFSHA256, SharedData: []byte{1}}, ckr.OK},
		{"ECDH with a KDF of another kind", mechanism.ECDH{Public: []byte{4}, KDF: mechanism.KDFSHA1ASN1}, ckr.MechanismParamInvalid},
		{"ECDH with shared data for nothing", mechanism.ECDH{Public: []byte{4}, SharedData: []byte{1}}, ckr.MechanismParamInvalid},
		{"digest of no hash", mechanism.Digest{}, ckr.MechanismParamInvalid},
		{"HMAC of one byte", mechanism.HMAC{Hash: crypto.SHA256, Length: 1}, ckr.MechanismParamInvalid},
		{"HMAC longer than the hash", mechanism.HMAC{Hash: crypto.SHA256, Length: 33}, ckr.MechanismParamInvalid},
		{"HMAC of negative length", mechanism.HMAC{Hash: crypto.SHA256, Length: -1}, ckr.MechanismParamInvalid},
		{"CBC with a short vector", mechanism.AESCBC{IV: iv[:15]}, ckr.MechanismParamInvalid},
		{"CBC raw without a vector", mechanism.Raw{T: mechanism.TypeAESCBCPad}, ckr.MechanismParamInvalid},
		{"CBC", mechanism.AESCBCPad{IV: iv}, ckr.OK},
		{"CTR that does not count", mechanism.AESCTR{CB: iv}, ckr.MechanismParamInvalid},
		{"CTR that counts too far", mechanism.AESCTR{CB: iv, CounterBits: 129}, ckr.MechanismParamInvalid},
		{"CTR with a short block", mechanism.AESCTR{CB: iv[:12], CounterBits: 32}, ckr.MechanismParamInvalid},
		{"GCM without a vector", mechanism.AESGCM{}, ckr.MechanismParamInvalid},
		{"GCM with a tag of a byte", mechanism.AESGCM{IV: iv, TagBits: 8}, ckr.MechanismParamInvalid},
		{"GCM with a tag of 100 bits", mechanism.AESGCM{IV: iv, TagBits: 100}, ckr.MechanismParamInvalid},
		{"GCM with a negative tag", mechanism.AESGCM{IV: iv, TagBits: -128}, ckr.MechanismParamInvalid},
		{"GCM", mechanism.AESGCM{IV: iv[:12], TagBits: 96}, ckr.OK},
		{"CMAC of two bytes", mechanism.AESCMAC{Length: 2}, ckr.MechanismParamInvalid},
		{"key wrap with a long initial value", mechanism.AESKeyWrap{IV: iv}, ckr.MechanismParamInvalid},
		{"KWP with a short initial value", mechanism.AESKeyWrapKWP{IV: iv[:3]}, ckr.MechanismParamInvalid},
	}
	for _, test := range tests {
		err := mechanism.Check(test.m)
		if got := ckr.Of(err); got != test.want && !fips140.Enforced() {
			t.Errorf("%s: %v, want %s", test.name, err, test.want.Name())
		}
	}
}

func TestECDSASignaturesTranslate(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P224(), elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		size := (curve.Params().BitSize + 7) / 8
		for i := range 20 { // some have leading zeros
			hash := bytes.Repeat([]byte{byte(i)}, 32)
			der, err := ecdsa.SignASN1(rand.Reader, key, hash)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := mechanism.ECDSAFromASN1(der, size)
			if err != nil || len(raw) != 2*size {
				t.Fatalf("%s: %d bytes, %v", curve.Params().Name, len(raw), err)
			}
			again, err := mechanism.ECDSAToASN1(raw)
			if err != nil || !bytes.Equal(again, der) {
				t.Errorf("%s: %x, want %x, %v", curve.Params().Name, again, der, err)
			}
		}
	}
	for name, der := range map[string]string{
		"nothing":   "",
		"no number": "\x30\x00",
		"one":       "\x30\x03\x02\x01\x01",
		"three":     "\x30\x09\x02\x01\x01\x02\x01\x01\x02\x01\x01",
		"negative":  "\x30\x06\x02\x01\x81\x02\x01\x01",
		"too long":  "\x30\x07\x02\x02\x01\x00\x02\x01\x01",
		"more":      "\x30\x06\x02\x01\x01\x02\x01\x01\x00",
	} {
		if _, err := mechanism.ECDSAFromASN1([]byte(der), 1); ckr.Of(err) != ckr.SignatureInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, n := range []int{0, 1, 3, 1000} {
		if _, err := mechanism.ECDSAToASN1(make([]byte, n)); ckr.Of(err) != ckr.SignatureLenRange {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestHashesHaveTheirNumbers(t *testing.T) {
	for _, h := range []crypto.Hash{crypto.SHA1, crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA3_256} {
		g, ok := mechanism.MGFOf(h)
		back, again := g.Hash()
		if !ok || !again || back != h {
			t.Errorf("MGF1 with %v is %d and back %v", h, g, back)
		}
		if back, ok := mechanism.HashOf(mechanism.Digest{Hash: h}.Type()); !ok || back != h {
			t.Errorf("the digest mechanism of %v is that of %v", h, back)
		}
	}
	if _, ok := mechanism.MGF(0).Hash(); ok {
		t.Error("no mask generation function has a hash")
	}
	if h, sp800, ok := mechanism.KDFSHA384SP800.Hash(); h != crypto.SHA384 || !sp800 || !ok {
		t.Errorf("CKD_SHA384_KDF_SP800 is %v, %v, %v", h, sp800, ok)
	}
	if got := (mechanism.RSAPSS{Hash: crypto.SHA256}).SaltLength(); got != 32 {
		t.Errorf("the salt is as long as the hash by default, not %d", got)
	}
	if got := (mechanism.RSAPSS{Hash: 99}).SaltLength(); got != 0 {
		t.Errorf("the salt of an unknown hash is %d long", got)
	}
}

func ExamplePrehash() {
	h, prepared := mechanism.Prehash(mechanism.ECDSA{Hash: crypto.SHA256})
	fmt.Println(h, prepared.Type())
	// Output: SHA-256 CKM_ECDSA
}

func ExampleCheck() {
	fmt.Println(mechanism.Check(mechanism.AESGCM{IV: make([]byte, 12)}))
	fmt.Println(mechanism.Check(mechanism.RSAPSS{Hash: crypto.SHA256, Salt: -7}))
	// Output:
	// <nil>
	// CKM_SHA256_RSA_PKCS_PSS: bad mechanism parameter: salt length out of range
}

func FuzzECDSAFromASN1(f *testing.F) {
	f.Add([]byte("\x30\x06\x02\x01\x01\x02\x01\x01"), 32)
	f.Fuzz(func(t *testing.T, der []byte, size int) {
		raw, err := mechanism.ECDSAFromASN1(der, size)
		if err == nil && len(raw) != 2*size {
			t.Errorf("%d bytes for a size of %d", len(raw), size)
		}
		if err != nil && strings.Contains(err.Error(), "panic") {
			t.Error(err)
		}
	})
}
