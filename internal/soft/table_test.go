package soft

import (
	"crypto"
	"crypto/fips140"
	"testing"

	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

func TestRowsDescribeTheirMechanism(t *testing.T) {
	const standard = publicUses | privateUses | mechanism.FlagDigest | mechanism.FlagGenerate | mechanism.FlagGenerateKeyPair
	for typ, r := range table().all() {
		if err := mechanism.Check(r.mech); err != nil && !fips140.Enforced() {
			t.Errorf("%s: %v", typ, err)
		}
		allowed, ok := mechanism.Functions(typ)
		switch extra := r.flags & standard &^ allowed; {
		case !ok && r.legacy != all:
			t.Errorf("%s is neither in the standard's tables nor legacy", typ)
		case ok && extra != 0:
			t.Errorf("%s does what the standard does not have it for: %s", typ, extra)
		}
		if r.flags&standard == 0 {
			t.Errorf("%s does nothing", typ)
		}
		if r.legacy != 0 && r.legacy&r.flags == 0 {
			t.Errorf("%s has a legacy mark on what it does not do", typ)
		}
	}
}

func TestNoMechanismHasTwoRows(t *testing.T) {
	ecb, ecdsa := scheme[mechanism.AESECB]{}.row(mechanism.AESECB{}), scheme[mechanism.ECDSA]{}.row(mechanism.ECDSA{})
	two := newIndex([]row{ecb, ecdsa, scheme[mechanism.ECDSA]{}.row(mechanism.ECDSA{Hash: crypto.SHA512_224})})
	for typ, want := range map[mechanism.Type]mechanism.Mechanism{
		mechanism.TypeAESECB: ecb.mech, mechanism.TypeECDSA: ecdsa.mech, mechanism.TypeAESCBC: nil, mechanism.TypeSHA3_256: nil,
		mechanism.TypeVendorDefined: nil, mechanism.Unavailable: nil,
	} {
		if r := two.row(typ); (r == nil) != (want == nil) || r != nil && r.mech != want {
			t.Errorf("%s: %v", typ, r)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("the table takes two rows of one mechanism")
		}
	}()
	newIndex([]row{ecb, ecdsa, ecb})
}

// TestNoFunctionIsNotThisOperation calls every operation of a scheme without
// functions, and of one for another type of mechanism.
func TestNoFunctionIsNotThisOperation(t *testing.T) {
	empty := &typed[mechanism.AESECB]{}
	for _, m := range []mechanism.Mechanism{mechanism.AESECB{}, mechanism.ECDSA{}} {
		k := &Material{class: object.ClassSecretKey, key: object.KeyAES, secret: make([]byte, 16)}
		for name, f := range map[string]func() error{
			"sign":          func() error { _, err := empty.sign(k, m, nil); return err },
			"verify":        func() error { return empty.verify(k, m, nil, nil) },
			"verifyRecover": func() error { _, err := empty.verifyRecover(k, m, nil); return err },
			"mac":           func() error { _, err := empty.mac(k, m); return err },
			"seal":          func() error { _, err := empty.seal(k, m, nil); return err },
			"open":          func() error { _, err := empty.open(k, m, nil); return err },
			"wrap":          func() error { _, err := empty.wrap(k, m, nil); return err },
			"unwrap":        func() error { _, err := empty.unwrap(k, m, nil, nil); return err },
			"unwraps":       func() error { return empty.unwraps(m, nil) },
			"derive":        func() error { _, err := empty.derive(k, m, derivation{}); return err },
			"encapsulate":   func() error { _, _, err := empty.encapsulate(k, m); return err },
			"decapsulate":   func() error { _, err := empty.decapsulate(k, m, nil); return err },
			"digest":        func() error { _, err := empty.digest(m); return err },
			"generate":      func() error { _, err := empty.generate(m, 16); return err },
			"generatePair":  func() error { _, _, err := empty.generatePair(m, nil); return err },
		} {
			if err := f(); err == nil || err.Error() != unsupported(m).Error() {
				t.Errorf("%s of %s: %v", name, m.Type(), err)
			}
		}
	}
}

func TestLookupCostsNoMemory(t *testing.T) {
	var m mechanism.Mechanism = mechanism.AESCTR{CB: make([]byte, 16), CounterBits: 32}
	if _, _, err := find(m, mechanism.FlagEncrypt); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		find(m, mechanism.FlagEncrypt)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
