package session_test

import (
	"math/big"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
)

// TestEveryClassIsKept creates an object of each class that can be made, and
// reads back what was given.
func TestEveryClassIsKept(t *testing.T) {
	ctx := t.Context()
	s := newRig(t).openAs(token.User)
	class := func(c object.Class, more ...object.Attribute) object.Template {
		return append(object.Template{object.AttrClass.Is(c), object.AttrLabel.Is("kept")}, more...)
	}
	vendor := object.Attr[[]byte]{Type: 0x80000042}
	for name, template := range map[string]object.Template{
		"data": class(object.ClassData, object.AttrApplication.Is("app"), object.AttrObjectID.Is([]byte{6, 1, 42}), object.AttrValue.Is(counted(5))),
		"WTLS certificate": class(object.ClassCertificate, object.AttrCertificateType.Is(object.CertificateWTLS), object.AttrSubject.Is([]byte("s")),
			object.AttrValue.Is([]byte("opaque"))),
		"attribute certificate": class(object.ClassCertificate, object.AttrCertificateType.Is(object.CertificateX509AttrCert), object.AttrOwner.Is([]byte("o")),
			object.AttrValue.Is([]byte("opaque"))),
		"domain parameters": class(object.ClassDomainParameters, object.AttrKeyType.Is(object.KeyDH), object.AttrPrime.Is(big.NewInt(23)), object.AttrBase.Is(big.NewInt(5))),
		"trust": class(object.ClassTrust, object.AttrIssuer.Is([]byte("i")), object.AttrSerialNumber.Is([]byte{2, 1, 1}),
			object.AttrHashOfCertificate.Is(counted(32)), object.AttrNameHashAlgorithm.Is(mechanism.TypeSHA256), object.AttrTrustServerAuth.Is(object.TrustAnchor)),
		"a maker's class":     class(0x80000007, vendor.Is([]byte("whatever"))),
		"a maker's attribute": class(object.ClassData, vendor.Is([]byte("whatever"))),
	} {
		o, err := s.Create(ctx, template...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, a := range template {
			v := must(s.Attributes(ctx, o, a.Type))(t)[0]
			if v.Code != ckr.OK || !v.Equal(a) {
				t.Errorf("%s: %v became %v", name, a, v)
			}
		}
		if found := find(t, s, template...); len(found) != 1 || found[0] != o {
			t.Errorf("%s: found %v", name, found)
		}
	}
}
