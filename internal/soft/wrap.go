package soft

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// Wrap encrypts the value of one key, as [Export] returns it, with another.
// Whether the key may leave is for object.CheckWrap and the caller to say.
//
// Of encrypting mechanisms it takes those that show when what was wrapped is
// altered: AES key wrap of both kinds, GCM, CCM, and RSA OAEP. Others are
// ckr.MechanismInvalid: ECB and CBC let attackers join keys out of parts
// (Clulow 2003), and PKCS #1 v1.5 betrays them when they are unwrapped. AES key
// wrap without padding takes keys from 9 bytes, and extends them by zeros to
// multiples of 8. A key whose length does not fit the mechanism is
// ckr.KeySizeRange.
func Wrap(wrapping *Material, mech mechanism.Mechanism, value []byte) ([]byte, error) {
	r, mech, err := ready(wrapping, mech, mechanism.FlagWrap)
	var wrapped []byte
	if err == nil {
		wrapped, err = r.wrap(wrapping, mech, value)
	}
	return wrapped, recode(err, map[ckr.Code]ckr.Code{
		ckr.DataLenRange:        ckr.KeySizeRange,
		ckr.KeyTypeInconsistent: ckr.WrappingKeyTypeInconsistent,
		ckr.KeyHandleInvalid:    ckr.WrappingKeyHandleInvalid,
		ckr.KeySizeRange:        ckr.WrappingKeySizeRange,
	})
}

// Unwrap decrypts a wrapped key for the completed template t and returns its
// value for [UnwrappedValues], which is the caller's to clear. The mechanisms
// are those of [CheckUnwrapping]. All that is wrong with what was wrapped is
// ckr.WrappedKeyInvalid, except a length that no wrapped key has,
// ckr.WrappedKeyLenRange. With PKCS #1 v1.5 a bad padding is no error: there
// comes out a random key of the length that the template wants, so that nobody
// learns which it was (Bleichenbacher 1998).
func Unwrap(unwrapping *Material, mech mechanism.Mechanism, wrapped []byte, t object.Template) ([]byte, error) {
	if err := CheckUnwrapping(mech, t); err != nil {
		return nil, err
	}
	r, mech, err := ready(unwrapping, mech, mechanism.FlagUnwrap)
	var value []byte
	if err == nil {
		value, err = r.unwrap(unwrapping, mech, wrapped, t)
	}
	return value, recode(err, map[ckr.Code]ckr.Code{
		ckr.EncryptedDataInvalid:  ckr.WrappedKeyInvalid,
		ckr.EncryptedDataLenRange: ckr.WrappedKeyLenRange,
		ckr.KeyTypeInconsistent:   ckr.UnwrappingKeyTypeInconsistent,
		ckr.KeyHandleInvalid:      ckr.UnwrappingKeyHandleInvalid,
		ckr.KeySizeRange:          ckr.UnwrappingKeySizeRange,
	})
}

// UnwrappedValues turns the value of an unwrapped key into the attributes to
// add to its completed template t. It returns ckr.WrappedKeyInvalid if the
// value is no key of the template's type, and ckr.WrappedKeyLenRange if it is
// not as long as the template says.
func UnwrappedValues(t object.Template, value []byte) (object.Template, error) {
	class, _ := object.In(t, object.AttrClass)
	if class == object.ClassSecretKey {
		return secretValues(t, value)
	}
	key, err := privateValues(value)
	if err != nil {
		return nil, ckr.New(ckr.WrappedKeyInvalid, "unwrap", nil)
	}
	want, _ := object.In(t, object.AttrKeyType)
	if got, _ := object.In(key, object.AttrKeyType); got != want {
		key.Clear()
		return nil, ckr.Newf(ckr.WrappedKeyInvalid, "unwrap", "not a key of type %s", want)
	}
	return unwrapped(key)
}

func secretValues(t object.Template, value []byte) (object.Template, error) {
	if length, ok := object.In(t, object.AttrValueLen); ok && length != uint64(len(value)) {
		return nil, ckr.Newf(ckr.WrappedKeyLenRange, "unwrap", "not a key of %d bytes", length)
	}
	key, _ := t.Lookup(object.AttrKeyType.Type)
	return unwrapped(object.Template{object.AttrClass.Is(object.ClassSecretKey), key, object.AttrValue.Is(value)})
}

func unwrapped(t object.Template) (object.Template, error) {
	out, err := object.Finish(t)
	if err != nil {
		t.Clear()
		return nil, ckr.New(ckr.WrappedKeyInvalid, "unwrap", nil)
	}
	return out.Without(object.AttrClass.Type, object.AttrKeyType.Type), nil
}

// CheckWrapping refuses mechanisms that do not guard what they wrap.
func CheckWrapping(mech mechanism.Mechanism) error {
	mech = mechanism.Resolve(mech)
	if mech == nil {
		return mechanism.Check(nil)
	}
	if r := table().row(mech.Type()); r == nil || !r.flags.Has(mechanism.FlagWrap) {
		return unsupported(mech)
	}
	return nil
}

// CheckUnwrapping refuses mechanisms that do not show whether what they unwrap
// was altered. PKCS #1 v1.5 is taken for secret keys whose template has
// CKA_VALUE_LEN, without which it is ckr.TemplateIncomplete.
func CheckUnwrapping(mech mechanism.Mechanism, t object.Template) error {
	mech = mechanism.Resolve(mech)
	if mech == nil {
		return mechanism.Check(nil)
	}
	r := table().row(mech.Type())
	if r == nil {
		return unsupported(mech)
	}
	return r.unwraps(mech, t)
}

// recode turns codes about data into codes about keys.
func recode(err error, codes map[ckr.Code]ckr.Code) error {
	if err == nil {
		return nil
	}
	if code, ok := codes[ckr.Of(err)]; ok {
		return ckr.New(code, "", err)
	}
	return err
}

// pkcs8 is PrivateKeyInfo, RFC 5208 §5.
type pkcs8 struct {
	Version   int
	Algorithm pkix.AlgorithmIdentifier
	Key       []byte
}

// Export returns what of a key is wrapped, for the caller to clear: the bytes
// of a secret key, PKCS #8 of a private key. A key that has no value to wrap
// is ckr.KeyNotWrappable.
func Export(m *Material) ([]byte, error) {
	switch {
	case m == nil || m.class == object.ClassPublicKey:
		return nil, ckr.Newf(ckr.KeyNotWrappable, "wrap", "no private or secret key")
	case m.class == object.ClassSecretKey && m.secret != nil:
		return append([]byte(nil), m.secret...), nil
	case m.rsaPrivate != nil:
		return encoded(x509.MarshalPKCS8PrivateKey(m.rsaPrivate))
	case m.ecPrivate != nil:
		return encoded(x509.MarshalPKCS8PrivateKey(m.ecPrivate))
	case m.curve.Name != "" && m.private():
		inner, err := asn1.Marshal(m.secret) // RFC 8410 §7: an OCTET STRING within the other
		if err != nil {
			return nil, ckr.New(ckr.KeyNotWrappable, "wrap", err)
		}
		defer clear(inner)
		return encoded(asn1.Marshal(pkcs8{Algorithm: pkix.AlgorithmIdentifier{Algorithm: m.curve.OID}, Key: inner}))
	}
	if m.private() {
		return m.exportPQ()
	}
	return nil, ckr.Newf(ckr.KeyHandleInvalid, "wrap", "the key material was cleared")
}

func encoded(der []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, ckr.New(ckr.KeyNotWrappable, "wrap", err)
	}
	return der, nil
}
