package soft_test

import (
	"bytes"
	"crypto"
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// TestTruncatedSHA512 has digests and codes of OpenSSL, see testdata/sha512t.sh.
func TestTruncatedSHA512(t *testing.T) {
	functions := map[string]struct {
		hash                 crypto.Hash
		digest, mac, general mechanism.Type
		own                  object.KeyType
	}{
		"sha512-224": {crypto.SHA512_224, mechanism.TypeSHA512_224, mechanism.TypeSHA512_224HMAC, mechanism.TypeSHA512_224HMACGeneral, object.KeySHA512_224HMAC},
		"sha512-256": {crypto.SHA512_256, mechanism.TypeSHA512_256, mechanism.TypeSHA512_256HMAC, mechanism.TypeSHA512_256HMACGeneral, object.KeySHA512_256HMAC},
	}
	bytesOf := func(s string) []byte { return unhex(strings.TrimPrefix(s, "-")) }
	lines := strings.Split(strings.TrimSpace(string(must(os.ReadFile("testdata/sha512t.txt")))), "\n")
	if len(lines) != 48 {
		t.Fatalf("%d lines", len(lines))
	}
	for _, line := range lines {
		fields := strings.Fields(line)
		f, input, want := functions[fields[0]], bytesOf(fields[2]), unhex(fields[3])
		if fields[1] == "-" {
			h, err := soft.NewHash(mechanism.Raw{T: f.digest})
			if err != nil {
				t.Fatal(err)
			}
			h.Write(input)
			if got := h.Sum(nil); !bytes.Equal(got, want) {
				t.Errorf("%s: %x", line, got)
			}
			continue
		}
		for _, kt := range []object.KeyType{object.KeyGenericSecret, f.own} {
			key := must(secret(kt, unhex(fields[1])))
			for length, m := range map[int]mechanism.Mechanism{
				len(want): mechanism.Raw{T: f.mac},
				16:        mechanism.HMAC{Hash: f.hash, Length: 16},
				4:         mechanism.Raw{T: f.general, Param: binary.LittleEndian.AppendUint64(nil, 4)},
			} {
				got, err := soft.Sign(key, m, input)
				if err = unlessForbidden(err); err != nil || got != nil && !bytes.Equal(got, want[:length]) {
					t.Errorf("%s, %d bytes: %x, %v", line, length, got, err)
				}
				if err := unlessForbidden(soft.Verify(key, m, input, want[:length])); err != nil {
					t.Errorf("%s, %d bytes: %v", line, length, err)
				}
			}
		}
		other := must(secret(object.KeySHA512HMAC, unhex(fields[1])))
		if _, err := soft.Sign(other, mechanism.HMAC{Hash: f.hash}, input); ckr.Of(err) != ckr.KeyTypeInconsistent {
			t.Errorf("by the key of another hash function: %v", err)
		}
	}
}

// unlessForbidden drops the error of what the FIPS mode of the test forbids.
func unlessForbidden(err error) error {
	if forbidden(err) {
		return nil
	}
	return err
}

// TestKeysForOneHashFunction generates keys of each type that is for one.
func TestKeysForOneHashFunction(t *testing.T) {
	for _, h := range append([]crypto.Hash{crypto.SHA512_224, crypto.SHA512_256}, allHashes...) {
		m := mechanism.HMACKeyGen{Hash: h}
		values, err := soft.GenerateKey(m, object.Template{object.AttrValueLen.Is(20)})
		if err != nil {
			t.Fatalf("%v: %v", h, err)
		}
		value, _ := object.In(values, object.AttrValue)
		implied := must(object.Imply(object.Generated, values, m.Type()))
		kt, _ := object.In(implied, object.AttrKeyType)
		key := must(secret(kt, value))
		code, err := soft.Sign(key, mechanism.HMAC{Hash: h}, sixteen)
		if err := unlessForbidden(err); err != nil || len(value) != 20 {
			t.Errorf("%v: a key of type %v and %d bytes: %v", h, kt, len(value), err)
		}
		if err := soft.Verify(must(secret(object.KeyGenericSecret, value)), mechanism.HMAC{Hash: h}, sixteen, code); unlessForbidden(err) != nil {
			t.Errorf("%v: %v", h, err)
		}
	}
	if err := mechanism.Check(mechanism.HMACKeyGen{Hash: crypto.MD5}); ckr.Of(err) != ckr.MechanismParamInvalid && !forbidden(err) {
		t.Errorf("a key for MD5: %v", err)
	}
}
