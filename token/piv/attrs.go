package piv

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"fmt"

	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// common is what objects of all kinds have.
func (a *app) common(class object.Class, place, label string, private bool) object.Template {
	return object.Template{
		object.AttrClass.Is(class),
		object.AttrToken.Is(true),
		object.AttrPrivate.Is(private),
		object.AttrModifiable.Is(class == object.ClassData || class == object.ClassPrivateKey && a.canMove()),
		object.AttrCopyable.Is(true),
		object.AttrDestroyable.Is(true),
		object.AttrLabel.Is(label),
		object.AttrUniqueID.Is(a.serial + "-" + place),
	}
}

// fixed are the attributes that an object has whatever the card holds there.
var fixed = []object.Type{
	object.AttrClass.Type, object.AttrToken.Type, object.AttrLabel.Type, object.AttrID.Type,
	object.AttrCertificateType.Type, object.AttrApplication.Type, object.AttrObjectID.Type,
}

// listed makes a record. If nobody has looked yet, it says so.
func listed(r driver.Record, unseen bool) driver.Record {
	if !unseen {
		return r
	}
	for _, t := range fixed {
		if x, ok := r.Known.Lookup(t); ok {
			r.Place = append(r.Place, x)
		}
	}
	return r
}

func (a *app) dataRecord(c *container, unseen bool) driver.Record {
	place := placeOf(kindData, c.tag)
	known := append(a.common(object.ClassData, place, c.name, c.private),
		object.AttrApplication.Is("PIV"), object.AttrObjectID.Is(c.oid()))
	r := listed(driver.Record{Ref: driver.Ref(place), Private: c.private, Known: known}, unseen)
	if unseen {
		id, _ := known.Lookup(object.AttrUniqueID.Type)
		private, _ := known.Lookup(object.AttrPrivate.Type)
		r.Place = append(r.Place, id, private)
	}
	return r
}

func (a *app) certificateRecord(s *slot, unseen bool) driver.Record {
	known := a.certificateAttrs(placeOf(kindCertificate, uint32(s.ref)), "Certificate for "+s.name, []byte{s.id})
	return listed(driver.Record{Ref: s.refOf(kindCertificate), Known: known}, unseen)
}

// attestationRecord has an identifier of its own, so that a key's certificate
// is the only one with the key's. It is neither the user's nor an authority's.
func (a *app) attestationRecord(s *slot, unseen bool) driver.Record {
	known := a.certificateAttrs(placeOf(kindAttestation, uint32(s.ref)), "Attestation of "+s.name, []byte{refAttestation, s.id})
	known = known.With(object.AttrDestroyable.Is(false), object.AttrCertificateCategory.Is(object.CertificateCategoryOtherEntity))
	return listed(driver.Record{Ref: s.refOf(kindAttestation), Known: known}, unseen)
}

func (a *app) certificateAttrs(place, label string, id []byte) object.Template {
	return append(a.common(object.ClassCertificate, place, label, false),
		object.AttrCertificateType.Is(object.CertificateX509),
		object.AttrID.Is(id),
		object.AttrTrusted.Is(false),
		object.AttrCertificateCategory.Is(object.CertificateCategoryUnspecified),
		object.AttrJavaMIDPSecurityDomain.Is(object.SecurityDomainUnspecified),
		object.AttrStartDate.Is(object.Date{}), object.AttrEndDate.Is(object.Date{}))
}

func (a *app) publicRecord(s *slot, unseen bool) driver.Record {
	known := a.common(object.ClassPublicKey, placeOf(kindPublic, uint32(s.ref)), "Public key for "+s.name, false).
		With(object.AttrDestroyable.Is(false))
	known = a.keyAttrs(known, s, object.ClassPublicKey)
	return listed(driver.Record{Ref: s.refOf(kindPublic), Known: append(known, object.AttrTrusted.Is(false))}, unseen)
}

func (a *app) keyRecord(s *slot, unseen bool) driver.Record {
	known := a.common(object.ClassPrivateKey, placeOf(kindKey, uint32(s.ref)), "Private key for "+s.name, s.private()).
		With(object.AttrCopyable.Is(false), object.AttrDestroyable.Is(a.canMove()))
	known = a.keyAttrs(known, s, object.ClassPrivateKey)
	known = append(known,
		object.AttrSensitive.Is(true), object.AttrExtractable.Is(false),
		object.AttrAlwaysSensitive.Is(s.generated), object.AttrNeverExtractable.Is(s.generated),
		object.AttrAlwaysAuthenticate.Is(s.alwaysAuthenticate()), object.AttrWrapWithTrusted.Is(false))
	known = append(known, s.policyAttrs()...)
	private := s.private()
	if unseen && a.hasMetadata() {
		private = false // only the metadata tell
	}
	return listed(driver.Record{Ref: s.refOf(kindKey), Private: private, Known: known}, unseen)
}

// keyAttrs adds what both halves of a key have, as far as it is known.
func (a *app) keyAttrs(t object.Template, s *slot, class object.Class) object.Template {
	t = append(t,
		object.AttrID.Is([]byte{s.id}),
		object.AttrStartDate.Is(object.Date{}), object.AttrEndDate.Is(object.Date{}),
		object.AttrLocal.Is(s.generated), object.AttrKeyGenMechanism.Is(mechanism.Unavailable),
		object.AttrSubject.Is(nil))
	if s.pub == nil {
		return t
	}
	values, err := publicView(s.pub)
	if err != nil {
		return t
	}
	kt, _ := object.In(values, object.AttrKeyType)
	rules := object.Rules(class, uint64(kt))
	for _, x := range append(values, a.uses(s, class)...) {
		if _, ok := rules.Lookup(x.Type); ok && !t.Has(x.Type) {
			t = append(t, x)
		}
	}
	return t
}

// publicView is a public key as attributes, with its SubjectPublicKeyInfo.
func publicView(pub crypto.PublicKey) (object.Template, error) {
	t, err := soft.PublicTemplate(pub)
	if err != nil {
		return nil, err
	}
	if spki, err := x509.MarshalPKIXPublicKey(pub); err == nil {
		t = t.With(object.AttrPublicKeyInfo.Is(spki))
	}
	if p, ok := pub.(*rsa.PublicKey); ok {
		t = t.With(object.AttrModulusBits.Is(uint64(p.N.BitLen())))
	}
	return t.Without(object.AttrClass.Type), nil
}

// uses is what a key is for. The card does the same with every RSA key; the
// standard has keys on curves sign or agree, by their slot, and YubiKeys let
// them do both. The attestation key is used by the card alone.
func (a *app) uses(s *slot, class object.Class) object.Template {
	isRSA := rsaBits(s.alg) > 0 && s.ref != refAttestation
	sign := isRSA || a.signsWith(s)
	derive := a.derivesWith(s)
	if class == object.ClassPublicKey {
		return object.Template{
			object.AttrEncrypt.Is(isRSA), object.AttrWrap.Is(isRSA), object.AttrVerify.Is(sign),
			object.AttrVerifyRecover.Is(false), object.AttrDerive.Is(false), object.AttrEncapsulate.Is(false),
		}
	}
	return object.Template{
		object.AttrDecrypt.Is(isRSA), object.AttrUnwrap.Is(isRSA), object.AttrSign.Is(sign),
		object.AttrSignRecover.Is(false), object.AttrDerive.Is(derive), object.AttrDecapsulate.Is(false),
	}
}

func (a *app) signsWith(s *slot) bool {
	if s.ref == refAttestation {
		return false
	}
	switch s.alg {
	case algP256, algP384:
		return a.yubico || !s.agrees()
	case algEd25519:
		return true
	}
	return false
}

func (a *app) derivesWith(s *slot) bool {
	if s.ref == refAttestation {
		return false
	}
	switch s.alg {
	case algP256, algP384:
		return a.yubico || s.agrees()
	case algX25519:
		return true
	}
	return false
}

// String names the slot in errors.
func (p *place) String() string { return fmt.Sprintf("PIV %02X", p.ref) }
