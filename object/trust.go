package object

import "github.com/go-cryptoki/cryptoki/ckr"

// purposes are what a certificate may be trusted for.
var purposes = []Attr[Trust]{
	AttrTrustServerAuth, AttrTrustClientAuth, AttrTrustCodeSigning, AttrTrustEmailProtection,
	AttrTrustIPSECIKE, AttrTrustTimeStamping, AttrTrustOCSPSigning,
}

func trustDefaults(t Template) Template {
	for _, a := range purposes {
		t = t.fill(a.Is(TrustUnknown))
	}
	return t.fill(AttrHashOfCertificate.Is(nil))
}

// missingTrustHash asks for the hash that binds trust to one certificate; an
// object that only distrusts names a certificate well enough without it.
func missingTrustHash(t Template) error {
	for _, a := range purposes {
		trust, ok := In(t, a)
		if !ok || trust == TrustUnknown || trust == TrustNotTrusted {
			continue
		}
		for _, need := range []Type{AttrHashOfCertificate.Type, AttrNameHashAlgorithm.Type} {
			if hash, ok := t.Lookup(need); !ok || hash.Len() == 0 {
				return ckr.New(ckr.TemplateIncomplete, need.String(), nil)
			}
		}
	}
	return nil
}
