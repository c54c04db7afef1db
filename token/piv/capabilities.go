package piv

import (
	"crypto"

	"github.com/go-cryptoki/cryptoki/mechanism"
)

type abilities = map[mechanism.Type]mechanism.Info

var hashes = []crypto.Hash{crypto.SHA1, crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512}

// able is what the card does with keys of the right kind.
func (a *app) able() abilities {
	t := abilities{}
	longest := 2048
	if a.atLeast(5, 7) {
		longest = 4096
	} else if !a.yubico {
		longest = 3072
	}
	rsaAble(t, 1024, longest)
	curveAble(t, 256, 384, true, true)
	t[mechanism.TypeRSAPKCSKeyPairGen] = mechanism.Info{MinKeySize: 1024, MaxKeySize: uint64(longest), Flags: mechanism.FlagHW | mechanism.FlagGenerateKeyPair}
	t[mechanism.TypeECKeyPairGen] = curveInfo(256, 384, mechanism.FlagGenerateKeyPair)
	if a.atLeast(5, 7) {
		t[mechanism.TypeEdDSA] = curveInfo(255, 255, mechanism.FlagSign)
		t[mechanism.TypeECEdwardsKeyPairGen] = curveInfo(255, 255, mechanism.FlagGenerateKeyPair)
		t[mechanism.TypeECMontgomeryKeyPairGen] = curveInfo(255, 255, mechanism.FlagGenerateKeyPair)
		t[mechanism.TypeECDH1Derive] = curveInfo(255, 384, mechanism.FlagDerive)
	}
	return t
}

// keyAble is what the card does with one key. The caller holds mu.
func (a *app) keyAble(s *slot) abilities {
	t := abilities{}
	switch bits := rsaBits(s.alg); {
	case s.ref == refAttestation: // it only attests
	case bits > 0:
		rsaAble(t, bits, bits)
	case s.alg == algP256:
		curveAble(t, 256, 256, a.signsWith(s), a.derivesWith(s))
	case s.alg == algP384:
		curveAble(t, 384, 384, a.signsWith(s), a.derivesWith(s))
	case s.alg == algEd25519:
		t[mechanism.TypeEdDSA] = curveInfo(255, 255, mechanism.FlagSign)
	case s.alg == algX25519:
		t[mechanism.TypeECDH1Derive] = curveInfo(255, 255, mechanism.FlagDerive)
	}
	return t
}

func rsaAble(t abilities, lo, hi int) {
	set := func(m mechanism.Type, f mechanism.Flags) {
		t[m] = mechanism.Info{MinKeySize: uint64(lo), MaxKeySize: uint64(hi), Flags: mechanism.FlagHW | f}
	}
	set(mechanism.TypeRSAPKCS, mechanism.FlagSign|mechanism.FlagDecrypt)
	set(mechanism.TypeRSAX509, mechanism.FlagSign|mechanism.FlagDecrypt)
	set(mechanism.TypeRSAPKCSPSS, mechanism.FlagSign)
	set(mechanism.TypeRSAPKCSOAEP, mechanism.FlagDecrypt)
	for _, h := range hashes {
		set(mechanism.RSAPKCS{Hash: h}.Type(), mechanism.FlagSign)
		set(mechanism.RSAPSS{Hash: h}.Type(), mechanism.FlagSign)
	}
}

func curveInfo(lo, hi int, f mechanism.Flags) mechanism.Info {
	f |= mechanism.FlagHW | mechanism.FlagECFP | mechanism.FlagECOID | mechanism.FlagECUncompress
	return mechanism.Info{MinKeySize: uint64(lo), MaxKeySize: uint64(hi), Flags: f}
}

func curveAble(t abilities, lo, hi int, sign, derive bool) {
	if sign {
		t[mechanism.TypeECDSA] = curveInfo(lo, hi, mechanism.FlagSign)
		for _, h := range hashes {
			t[mechanism.ECDSA{Hash: h}.Type()] = curveInfo(lo, hi, mechanism.FlagSign)
		}
	}
	if derive {
		t[mechanism.TypeECDH1Derive] = curveInfo(lo, hi, mechanism.FlagDerive)
	}
}
