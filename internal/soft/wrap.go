package soft

import (
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"

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
	if err := CheckWrapping(mech); err != nil {
		return nil, err
	}
	if _, ok := mechanism.Resolve(mech).(mechanism.AESKeyWrap); ok {
		value = zeroPadded(value)
		defer clear(value)
	}
	wrapped, err := Encrypt(wrapping, mech, value)
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
	var value []byte
	var err error
	if _, v15 := mechanism.Resolve(mech).(mechanism.RSAPKCS); v15 {
		value, err = unwrapPKCS1(unwrapping, mech, wrapped, t)
	} else {
		value, err = Decrypt(unwrapping, mech, wrapped)
	}
	if _, ok := mechanism.Resolve(mech).(mechanism.AESKeyWrap); ok && err == nil {
		value = withoutZeros(value, t)
	}
	return value, recode(err, map[ckr.Code]ckr.Code{
		ckr.EncryptedDataInvalid:  ckr.WrappedKeyInvalid,
		ckr.EncryptedDataLenRange: ckr.WrappedKeyLenRange,
		ckr.KeyTypeInconsistent:   ckr.UnwrappingKeyTypeInconsistent,
		ckr.KeyHandleInvalid:      ckr.UnwrappingKeyHandleInvalid,
		ckr.KeySizeRange:          ckr.UnwrappingKeySizeRange,
	})
}

// zeroPadded returns a copy of a key's value, extended to what CKM_AES_KEY_WRAP
// takes, multiples of 8 bytes, as PKCS #11 v3.2 §6.14 has it.
func zeroPadded(value []byte) []byte {
	padded := make([]byte, (len(value)+7)/8*8)
	copy(padded, value)
	return padded
}

// withoutZeros takes the padding off again: how long a secret key is, the
// template may tell, and a private key tells itself. Where something else than
// zeros follows, nothing is taken off: the length is wrong then.
func withoutZeros(value []byte, t object.Template) []byte {
	length := len(value)
	if class, _ := object.In(t, object.AttrClass); class == object.ClassSecretKey {
		if n, ok := object.In(t, object.AttrValueLen); ok {
			length = int(min(n, uint64(length)))
		}
	} else {
		var whole asn1.RawValue
		if _, err := asn1.Unmarshal(value, &whole); err == nil {
			length = len(whole.FullBytes)
		}
	}
	if padding := value[length:]; len(padding) < 8 && !slices.ContainsFunc(padding, func(b byte) bool { return b != 0 }) {
		return value[:length:length]
	}
	return value
}

// unwrapPKCS1 never says whether the padding was good.
func unwrapPKCS1(m *Material, mech mechanism.Mechanism, wrapped []byte, t object.Template) ([]byte, error) {
	if _, err := prepared(m, mech); err != nil {
		return nil, err
	}
	if err := m.needs(object.ClassPrivateKey, object.KeyRSA); err != nil {
		return nil, err
	}
	length, _ := object.In(t, object.AttrValueLen)
	if size := m.rsaPublic.Size(); len(wrapped) != size || length > uint64(size-11) {
		return nil, ckr.Newf(ckr.EncryptedDataLenRange, "unwrap", "%d bytes", len(wrapped))
	}
	value := randomSeed(int(length))
	if err := rsa.DecryptPKCS1v15SessionKey(nil, m.rsaPrivate, wrapped, value); err != nil {
		return nil, ckr.New(ckr.EncryptedDataInvalid, "unwrap", nil) // not less than the modulus
	}
	return value, nil
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
	switch mechanism.Resolve(mech).(type) {
	case mechanism.AESKeyWrap, mechanism.AESKeyWrapKWP, mechanism.AESGCM, mechanism.AESCCM, mechanism.RSAOAEP:
		return nil
	case nil:
		return mechanism.Check(mech)
	}
	return unsupported(mech)
}

// CheckUnwrapping refuses mechanisms that do not show whether what they unwrap
// was altered. PKCS #1 v1.5 is taken for secret keys whose template has
// CKA_VALUE_LEN, without which it is ckr.TemplateIncomplete.
func CheckUnwrapping(mech mechanism.Mechanism, t object.Template) error {
	v15, ok := mechanism.Resolve(mech).(mechanism.RSAPKCS)
	if !ok {
		return CheckWrapping(mech)
	}
	class, _ := object.In(t, object.AttrClass)
	if v15 != (mechanism.RSAPKCS{}) || class != object.ClassSecretKey {
		return unsupported(mech)
	}
	if n, ok := object.In(t, object.AttrValueLen); !ok || n == 0 || n > maxRSA/8 {
		return missing(object.AttrValueLen)
	}
	return nil
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
