package soft

import (
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// wrapECDHAES wraps a key by an AES key that a temporary private key agrees on
// with a public one.
func (m *Material) wrapECDHAES(mech mechanism.ECDHAESKeyWrap, value []byte) ([]byte, error) {
	temporary, head, err := m.temporaryPair(mech)
	if err != nil {
		return nil, err
	}
	defer Clear(temporary)
	key, err := temporary.agreeAES(mech, m.point)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	tail, err := wrapTemporary(key, value)
	if err != nil {
		return nil, err
	}
	return append(head, tail...), nil
}

// unwrapECDHAES has one error for a temporary public key that is not on the curve
// and for a key that was altered.
func (m *Material) unwrapECDHAES(mech mechanism.ECDHAESKeyWrap, wrapped []byte, _ object.Template) ([]byte, error) {
	size := m.curve.Bytes // of a Montgomery curve
	if m.curve.NIST != nil {
		size = 1 + 2*m.curve.Bytes
	}
	if len(wrapped) < size {
		return nil, ckr.Newf(ckr.EncryptedDataLenRange, "unwrap", "%d bytes", len(wrapped))
	}
	point, err := m.curve.Point(wrapped[:size])
	if err != nil {
		return nil, ckr.New(ckr.EncryptedDataInvalid, "unwrap", nil)
	}
	key, err := m.agreeAES(mech, point)
	if ckr.Of(err) == ckr.MechanismParamInvalid { // a point of small order
		return nil, ckr.New(ckr.EncryptedDataInvalid, "unwrap", nil)
	}
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return unwrapTemporary(key, wrapped[size:])
}

// temporaryPair makes a private key on the curve of a public one, and the
// public key that belongs to it.
func (m *Material) temporaryPair(mech mechanism.Mechanism) (private *Material, point []byte, err error) {
	pub, priv, err := generateOn[mechanism.Mechanism](m.key)(mech, object.Template{object.AttrECParams.Is(m.curve.Params())})
	if err != nil {
		return nil, nil, err
	}
	defer priv.Clear()
	encoded, _ := object.In(pub, object.AttrECPoint)
	if point, err = m.curve.Point(encoded); err != nil {
		return nil, nil, err
	}
	private, err = NewMaterial(priv.With(object.AttrClass.Is(object.ClassPrivateKey), object.AttrKeyType.Is(m.key)))
	return private, point, err
}

// agreeAES returns the AES key that a private key agrees on with a point of its
// curve.
func (m *Material) agreeAES(mech mechanism.ECDHAESKeyWrap, point []byte) ([]byte, error) {
	ecdh := mechanism.ECDH{Public: point, KDF: mech.KDF, SharedData: mech.SharedData}
	secret, err := m.agree(ecdh, point)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	length := mech.KeyBits / 8
	if _, _, hashed := mech.KDF.Hash(); hashed {
		return Stretch(ecdh, secret, length)
	}
	if length > len(secret) {
		return nil, ckr.Newf(ckr.KeySizeRange, "ECDH", "a shared secret of %d bits gives no AES key of %d", 8*len(secret), mech.KeyBits)
	}
	return append([]byte(nil), secret[:length]...), nil
}
