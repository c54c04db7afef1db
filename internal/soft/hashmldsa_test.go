package soft_test

import (
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/fips140"
	"crypto/sha3"
	"encoding/json"
	"os"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// TestHashMLDSA has the deterministic signatures of another implementation, see
// testdata/hashmldsa.mjs.
func TestHashMLDSA(t *testing.T) {
	if fips140.Enforced() {
		return // the mode forbids it
	}
	var cases []struct{ Set, Hash, Seed, Message, Context, Signature string }
	file := must(os.Open("testdata/hash_ml_dsa.json.gz"))
	defer file.Close()
	if err := json.NewDecoder(must(gzip.NewReader(file))).Decode(&cases); err != nil || len(cases) != 30 {
		t.Fatal(len(cases), err)
	}
	sets := map[string]object.ParameterSet{
		"ML-DSA-44": object.ParameterSetMLDSA44, "ML-DSA-65": object.ParameterSetMLDSA65, "ML-DSA-87": object.ParameterSetMLDSA87,
	}
	functions := map[string]mechanism.HashMLDSA{
		"SHA-224": {Hash: crypto.SHA224}, "SHA-256": {Hash: crypto.SHA256}, "SHA-384": {Hash: crypto.SHA384}, "SHA-512": {Hash: crypto.SHA512},
		"SHA3-224": {Hash: crypto.SHA3_224}, "SHA3-256": {Hash: crypto.SHA3_256}, "SHA3-384": {Hash: crypto.SHA3_384}, "SHA3-512": {Hash: crypto.SHA3_512},
		"SHAKE128": {SHAKE: 128}, "SHAKE256": {SHAKE: 256},
	}
	types := map[mechanism.Type]bool{}
	for _, c := range cases {
		name := c.Set + " with " + c.Hash
		set := object.AttrParameterSet.Is(sets[c.Set])
		private := must(soft.NewMaterial(object.Template{
			object.AttrClass.Is(object.ClassPrivateKey), object.AttrKeyType.Is(object.KeyMLDSA), set, object.AttrSeed.Is(unhex(c.Seed)),
		}))
		info, _ := object.In(soft.Computed(private), object.AttrPublicKeyInfo)
		known, _, ok := object.ParseInfo(info)
		if !ok {
			t.Fatalf("%s: no public key", name)
		}
		public := must(soft.NewMaterial(known.With(object.AttrClass.Is(object.ClassPublicKey), set)))

		full := functions[c.Hash]
		full.Context, full.Hedge = unhex(c.Context), mechanism.DeterministicRequired
		types[full.Type()] = true
		message, want := unhex(c.Message), unhex(c.Signature)
		h, m := mechanism.Prehash(full)
		input := message
		if h != 0 {
			if m.Type() != mechanism.TypeHashMLDSA {
				t.Errorf("%s: of the digest it is %v", name, m.Type())
			}
			input = digest(h, message)
		}
		got, err := soft.Sign(private, m, input)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: another signature, %v", name, err)
		}
		if err := soft.Verify(public, m, input, want); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		hedged := m.(mechanism.HashMLDSA)
		hedged.Hedge = mechanism.HedgePreferred
		if got, err = soft.Sign(private, hedged, input); err != nil || bytes.Equal(got, want) {
			t.Errorf("%s: a hedged signature is not, %v", name, err)
		}
		if err := soft.Verify(public, hedged, input, got); err != nil {
			t.Errorf("%s: hedged: %v", name, err)
		}
		other := hedged
		if len(hedged.Context) == 0 {
			other.Context = []byte{0}
		} else {
			other.Context = hedged.Context[1:]
		}
		for what, err := range map[string]error{
			"another context": soft.Verify(public, other, input, want),
			"the pure form":   soft.Verify(public, mechanism.MLDSA{Context: full.Context}, input, want),
			"altered":         soft.Verify(public, m, input, append([]byte{want[0] ^ 1}, want[1:]...)),
		} {
			if ckr.Of(err) != ckr.SignatureInvalid {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
		if err := soft.Verify(public, m, input, want[1:]); ckr.Of(err) != ckr.SignatureLenRange {
			t.Errorf("%s: a short signature: %v", name, err)
		}
		short := m.(mechanism.HashMLDSA)
		short.Digested = true
		if _, err := soft.Sign(private, short, make([]byte, short.DigestSize()-1)); ckr.Of(err) != ckr.DataLenRange {
			t.Errorf("%s: a short digest: %v", name, err)
		}
		if full.SHAKE != 0 { // CKM_HASH_ML_DSA takes its digest, too
			xof := sha3.NewSHAKE128()
			if full.SHAKE == 256 {
				xof = sha3.NewSHAKE256()
			}
			xof.Write(message)
			sum := make([]byte, full.DigestSize())
			xof.Read(sum)
			short.Hedge = mechanism.DeterministicRequired
			if got, err := soft.Sign(private, short, sum); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: another signature of the digest, %v", name, err)
			}
		}
	}
	if len(types) != 10 {
		t.Errorf("%d mechanisms: %v", len(types), types)
	}
}

func TestHashMLDSAChecksItsParameters(t *testing.T) {
	for name, m := range map[string]mechanism.HashMLDSA{
		"no hash function":           {},
		"two hash functions":         {Hash: crypto.SHA256, SHAKE: 128},
		"SHAKE of other bits":        {SHAKE: 512},
		"a hash function of no type": {Hash: crypto.SHA512_256},
		"a digest of nothing":        {Digested: true},
		"a long context":             {Hash: crypto.SHA256, Context: make([]byte, 256)},
		"an unknown hedge":           {Hash: crypto.SHA256, Hedge: 3},
	} {
		if err := mechanism.Check(m); ckr.Of(err) != ckr.MechanismParamInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	want := mechanism.HashMLDSA{SHAKE: 256}
	if got, ok := mechanism.Resolve(mechanism.Raw{T: mechanism.TypeHashMLDSASHAKE256}).(mechanism.HashMLDSA); !ok || got.SHAKE != want.SHAKE {
		t.Errorf("%#v", got)
	}
	if raw := mechanism.Resolve(mechanism.Raw{T: mechanism.TypeHashMLDSA}); raw.Type() != mechanism.TypeHashMLDSA {
		t.Errorf("%#v", raw)
	}
}
