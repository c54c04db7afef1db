package session_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"math/big"
	"regexp"
	"testing"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/internal/spec"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// attacker is a user with a session, and all that the interface lets him do.
type attacker struct {
	*testing.T
	r *rig
	s *session.Session
}

func newAttacker(t *testing.T) attacker {
	r := newRig(t)
	return attacker{t, r, r.openAs(token.User)}
}

// aes generates a key of 32 bytes that is sensitive and extractable.
func (a attacker) aes(more ...object.Attribute) *object.Object {
	a.Helper()
	t := object.Template{object.AttrValueLen.Is(32), object.AttrExtractable.Is(true), object.AttrDerive.Is(true)}
	return must(a.s.GenerateKey(a.Context(), mechanism.AESKeyGen{}, t.With(more...)...))(a)
}

// wrapper generates a key that wraps and unwraps.
func (a attacker) wrapper(more ...object.Attribute) *object.Object {
	a.Helper()
	t := object.Template{object.AttrWrap.Is(true), object.AttrUnwrap.Is(true)}
	return a.aes(t.With(more...)...)
}

// base creates a secret with CKA_DERIVE from a value, sensitive or not.
func (a attacker) base(value []byte, sensitive bool) *object.Object {
	a.Helper()
	return must(a.s.Create(a.Context(), object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyGenericSecret),
		object.AttrValue.Is(value), object.AttrDerive.Is(true), object.AttrSensitive.Is(sensitive), object.AttrExtractable.Is(!sensitive)))(a)
}

func (a attacker) rsa(pub, priv object.Template) (*object.Object, *object.Object, error) {
	return a.s.GenerateKeyPair(a.Context(), mechanism.RSAKeyPairGen{}, pub.With(object.AttrModulusBits.Is(2048)), priv)
}

func (a attacker) ec(pub, priv object.Template) (*object.Object, *object.Object, error) {
	return a.s.GenerateKeyPair(a.Context(), mechanism.ECKeyPairGen{}, pub.With(object.AttrECParams.Is(p256)), priv)
}

// wrapped wraps k under w.
func (a attacker) wrapped(w, k *object.Object) []byte {
	a.Helper()
	return must(a.s.Wrap(a.Context(), mechanism.AESKeyWrap{}, w, k))(a)
}

func (a attacker) wrap(m mechanism.Mechanism, w, k *object.Object) error {
	_, err := a.s.Wrap(a.Context(), m, w, k)
	return err
}

func (a attacker) unwrap(m mechanism.Mechanism, w *object.Object, blob []byte, more ...object.Attribute) error {
	t := object.Template{object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES)}
	_, err := a.s.Unwrap(a.Context(), m, w, blob, t.With(more...)...)
	return err
}

func (a attacker) derive(m mechanism.Mechanism, base *object.Object, more ...object.Attribute) error {
	_, err := a.s.Derive(a.Context(), m, base, more...)
	return err
}

func (a attacker) create(more ...object.Attribute) error {
	_, err := a.s.Create(a.Context(), more...)
	return err
}

func (a attacker) read(o *object.Object, typ object.Type) error {
	v := must(a.s.Attributes(a.Context(), o, typ))(a)
	if v[0].Code == ckr.OK {
		return nil
	}
	if v[0].Len() != 0 {
		a.Errorf("%v comes with a value", typ)
	}
	return ckr.New(v[0].Code, "read", nil)
}

var (
	clear_  = object.AttrSensitive.Is(false)
	secret_ = object.Template{object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES), object.AttrValue.Is(counted(32))}
)

// attacks have the calls of each row; what they return is compared with the
// codes of the row.
var attacks = map[string]func(a attacker) []error{
	"active_operation_survives_logout": func(a attacker) []error {
		_, priv := pair(a, a.s, engine.PrivateToken, "k")
		op := must(a.s.NewSign(a.Context(), mechanism.ECDSA{}, priv))(a)
		op.Write(make([]byte, 32))
		a.r.logout(a.s)
		_, err := op.Sum(a.Context())
		return []error{err}
	},
	"aead_plaintext_release": func(a attacker) []error {
		var all []error
		for _, name := range []string{"GCM", "CCM", "ChaCha"} {
			c := cipherModes()[name]
			key := secretKey(a, a.s, c.kt, counted(c.key))
			sealed := must(a.s.Encrypt(a.Context(), c.m, key, counted(99)))(a)
			sealed[len(sealed)-1] ^= 1
			op := must(a.s.NewDecrypt(a.Context(), c.m, key))(a)
			if out := must(op.Update(a.Context(), sealed))(a); len(out) > 0 {
				a.Errorf("%s releases %x", name, out)
			}
			_, err := op.Final(a.Context())
			all = append(all, err)
		}
		return all
	},
	"allowed_mechanisms_ignored": func(a attacker) []error {
		only := func(m ...mechanism.Type) object.Attribute { return object.AttrAllowedMechanisms.Is(m) }
		key := a.aes(only(mechanism.TypeAESGCM), object.AttrEncrypt.Is(true))
		_, err := a.s.Encrypt(a.Context(), mechanism.AESECB{}, key, counted(16))
		w := a.wrapper(only(mechanism.TypeAESGCM))
		second := a.aes(only(mechanism.TypeSHA256KeyDerivation))
		return []error{
			err, a.wrap(mechanism.AESKeyWrap{}, w, a.aes()), a.derive(mechanism.HashDerive{Hash: crypto.SHA256}, key),
			a.derive(mechanism.ConcatenateBaseAndKey{Key: second}, a.aes()),
		}
	},
	"always_authenticate_bypass": func(a attacker) []error {
		_, priv := pair(a, a.s, engine.PrivateSession, "k", object.AttrAlwaysAuthenticate.Is(true), object.AttrDerive.Is(true), object.AttrSign.Is(true))
		_, err := a.s.Sign(a.Context(), mechanism.ECDSA{}, priv, make([]byte, 32))
		pub, _ := pair(a, a.s, engine.PrivateSession, "other")
		point := must(object.Get(a.Context(), pub, object.AttrECPoint))(a)
		return []error{err, a.derive(mechanism.ECDH{Public: point}, priv)}
	},
	"cbc_pad_oracle_decrypt": func(a attacker) []error {
		key := secretKey(a, a.s, object.KeyAES, counted(16))
		var all []error
		for i := range 16 {
			_, err := a.s.Decrypt(a.Context(), mechanism.AESCBCPad{IV: counted(16)}, key, bytes.Repeat([]byte{byte(i)}, 32))
			all = append(all, err)
		}
		return all
	},
	"check_value_leak": func(a attacker) []error {
		o := a.base([]byte("short"), true)
		v, err := object.Get(a.Context(), o, object.AttrCheckValue)
		if len(v) > 0 {
			a.Errorf("the check value is %x", v)
		}
		return []error{err}
	},
	"concatenate_truncation": func(a attacker) []error {
		return []error{a.derive(mechanism.ConcatenateDataAndBase{Data: counted(15)}, a.base(counted(16), true), object.AttrValueLen.Is(16))}
	},
	"concatenate_two_keys_truncation": func(a attacker) []error {
		return []error{a.derive(mechanism.ConcatenateBaseAndKey{Key: a.base(counted(16), true)}, a.base(counted(16), true), object.AttrValueLen.Is(16))}
	},
	"copy_drops_policy_flags": func(a attacker) []error {
		key := a.aes(object.AttrWrapWithTrusted.Is(true), object.AttrModifiable.Is(false),
			object.AttrAllowedMechanisms.Is([]mechanism.Type{mechanism.TypeAESGCM}))
		_, priv := pair(a, a.s, engine.PrivateSession, "k", object.AttrAlwaysAuthenticate.Is(true))
		return []error{
			a.copy(key, object.AttrWrapWithTrusted.Is(false)), a.copy(key, object.AttrModifiable.Is(true)),
			a.copy(key, object.AttrAllowedMechanisms.Is(nil)), a.copy(priv, object.AttrAlwaysAuthenticate.Is(false)),
		}
	},
	"copy_role_switch": func(a attacker) []error {
		return []error{a.copy(a.wrapper(), object.AttrDecrypt.Is(true), object.AttrWrap.Is(false))}
	},
	"copy_to_public": func(a attacker) []error {
		return []error{a.copy(a.aes(), object.AttrPrivate.Is(false), object.AttrToken.Is(true)), a.copy(a.aes(), object.AttrPrivate.Is(false))}
	},
	"crt_or_seed_parts_readable": func(a attacker) []error {
		_, priv, err := a.rsa(nil, nil)
		noError(a, err)
		_, kem, err := a.s.GenerateKeyPair(a.Context(), mechanism.MLKEMKeyPairGen{}, object.Template{object.AttrParameterSet.Is(object.ParameterSetMLKEM768)}, nil)
		noError(a, err)
		var all []error
		for _, t := range []object.Type{
			object.AttrPrivateExponent.Type, object.AttrPrime1.Type, object.AttrPrime2.Type, object.AttrExponent1.Type,
			object.AttrExponent2.Type, object.AttrCoefficient.Type,
		} {
			all = append(all, a.read(priv, t))
		}
		return append(all, a.read(kem, object.AttrSeed.Type), a.read(kem, object.AttrValue.Type))
	},
	"decapsulate_to_clear": func(a attacker) []error {
		pub, priv, err := a.s.GenerateKeyPair(a.Context(), mechanism.MLKEMKeyPairGen{}, object.Template{object.AttrParameterSet.Is(object.ParameterSetMLKEM512)}, nil)
		noError(a, err)
		ct, _, err := a.s.Encapsulate(a.Context(), mechanism.MLKEM{}, pub)
		noError(a, err)
		_, err = a.s.Decapsulate(a.Context(), mechanism.MLKEM{}, priv, ct, clear_)
		return []error{err}
	},
	"derive_as_encrypt_oracle": func(a attacker) []error {
		m := mechanism.AESECBEncryptData{Data: counted(32)}
		return []error{
			a.derive(m, a.aes(), clear_), a.derive(m, a.wrapper()),
			a.derive(mechanism.AESCBCEncryptData{IV: counted(16), Data: counted(32)}, a.aes(), clear_),
		}
	},
	"derive_ignores_parent_sensitivity": func(a attacker) []error {
		base := a.base(counted(32), true)
		var all []error
		for _, m := range []mechanism.Mechanism{
			mechanism.XORBaseAndData{Data: counted(32)}, mechanism.ConcatenateBaseAndData{Data: counted(32)}, mechanism.ExtractKeyFromKey{},
		} {
			all = append(all, a.derive(m, base, clear_, object.AttrExtractable.Is(true), object.AttrValueLen.Is(16)))
		}
		return all
	},
	"derive_template_override": func(a attacker) []error {
		key := a.aes(object.AttrDeriveTemplate.Is(object.Template{object.AttrLabel.Is("x")}))
		return []error{a.derive(mechanism.HashDerive{Hash: crypto.SHA256}, key, object.AttrLabel.Is("y"))}
	},
	"des3_half_key_unwrap": func(a attacker) []error {
		w := a.wrapper()
		blob := a.wrapped(w, a.aes())
		return []error{a.unwrap(mechanism.AESKeyWrap{}, w, blob[:24]), a.unwrap(mechanism.AESKeyWrap{}, w, blob[:16])}
	},
	"des3_same_halves": func(a attacker) []error {
		des := func(t object.KeyType, value []byte) error {
			return a.create(object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(t), object.AttrValue.Is(value))
		}
		half := counted(8)
		return []error{des(object.KeyDES2, append(half, half...)), des(object.KeyDES3, bytes.Repeat(half, 3))}
	},
	"digest_key_oracle": func(a attacker) []error {
		h := must(a.s.NewDigest(a.Context(), mechanism.Digest{Hash: crypto.SHA256}))(a)
		return []error{h.Key(a.Context(), a.base([]byte("pin"), true))}
	},
	"ecb_block_cut_and_paste": func(a attacker) []error {
		w := a.wrapper()
		return []error{a.unwrap(mechanism.AESECB{}, w, counted(32)), a.wrap(mechanism.AESECB{}, w, a.aes())}
	},
	"ecdh_invalid_curve": func(a attacker) []error {
		_, priv := pair(a, a.s, engine.PrivateSession, "k")
		off := make([]byte, 65)
		off[0], off[64] = 4, 7
		x, _ := object.CurveByName("X25519")
		_, mont, err := a.s.GenerateKeyPair(a.Context(), mechanism.ECMontgomeryKeyPairGen{}, object.Template{object.AttrECParams.Is(x.Params())}, nil)
		noError(a, err)
		return []error{
			a.derive(mechanism.ECDH{Public: off}, priv), a.derive(mechanism.ECDH{Public: []byte{0}}, priv),
			a.derive(mechanism.ECDH{Public: make([]byte, 32)}, mont),
		}
	},
	// A bare secret may be read, since that is what most use it for; the points
	// that would betray the key with it are refused.
	"ecdh_null_kdf_static_leak": func(a attacker) []error {
		_, priv := pair(a, a.s, engine.PrivateSession, "k")
		off := make([]byte, 65)
		off[0], off[64] = 4, 9
		return []error{a.derive(mechanism.ECDH{Public: off}, priv, clear_)}
	},
	"encrypt_unwrap_inject": func(a attacker) []error {
		_, err := a.s.GenerateKey(a.Context(), mechanism.AESKeyGen{}, object.AttrValueLen.Is(16), object.AttrEncrypt.Is(true), object.AttrUnwrap.Is(true))
		return []error{err, a.create(secret_.With(object.AttrEncrypt.Is(true), object.AttrUnwrap.Is(true))...)}
	},
	"extract_key_from_key_truncation": func(a attacker) []error {
		return []error{
			a.derive(mechanism.ExtractKeyFromKey{}, a.base(counted(32), true), object.AttrValueLen.Is(16)),
			a.derive(mechanism.ExtractKeyFromKey{Bit: 3}, a.base(counted(32), false), object.AttrValueLen.Is(2)),
		}
	},
	"find_objects_value_oracle": func(a attacker) []error {
		a.base(counted(16), true)
		for _, guess := range [][]byte{counted(16), counted(15)} {
			if found := find(a, a.s, object.AttrValue.Is(guess)); len(found) > 0 {
				a.Errorf("%x finds %v", guess, found)
			}
		}
		return []error{nil}
	},
	"forged_provenance_flags": func(a attacker) []error {
		w := a.wrapper()
		blob := a.wrapped(w, a.aes())
		var all []error
		for _, forged := range []object.Attribute{
			object.AttrLocal.Is(true), object.AttrAlwaysSensitive.Is(true), object.AttrNeverExtractable.Is(true),
			object.AttrKeyGenMechanism.Is(mechanism.TypeAESKeyGen),
		} {
			all = append(all, a.create(secret_.With(forged)...), a.unwrap(mechanism.AESKeyWrap{}, w, blob, forged),
				a.derive(mechanism.HashDerive{Hash: crypto.SHA256}, a.aes(), forged))
		}
		return all
	},
	"gcm_short_tag_or_iv_reuse": func(a attacker) []error {
		key := secretKey(a, a.s, object.KeyAES, counted(16))
		var all []error
		for _, bits := range []int{8, 32, 64, 88} {
			_, err := a.s.Decrypt(a.Context(), mechanism.AESGCM{IV: counted(12), TagBits: bits}, key, counted(32))
			all = append(all, err)
		}
		return all
	},
	"handle_survives_logout": func(a attacker) []error {
		_, priv := pair(a, a.s, engine.PrivateToken, "k")
		a.r.logout(a.s)
		_, before := a.s.Sign(a.Context(), mechanism.ECDSA{}, priv, make([]byte, 32))
		a.r.login(a.s, token.User)
		_, after := a.s.Sign(a.Context(), mechanism.ECDSA{}, priv, make([]byte, 32))
		return []error{before, after}
	},
	"hkdf_data_leak": func(a attacker) []error {
		m := mechanism.HKDF{Hash: crypto.SHA256, Expand: true, Info: []byte("key"), ToData: true}
		return []error{a.derive(m, a.base(counted(32), true), object.AttrValueLen.Is(32))}
	},
	"kem_reject_oracle": func(a attacker) []error {
		pub, priv, err := a.s.GenerateKeyPair(a.Context(), mechanism.MLKEMKeyPairGen{}, object.Template{object.AttrParameterSet.Is(object.ParameterSetMLKEM768)}, nil)
		noError(a, err)
		ct, _, err := a.s.Encapsulate(a.Context(), mechanism.MLKEM{}, pub)
		noError(a, err)
		ct[3] ^= 1
		_, err = a.s.Decapsulate(a.Context(), mechanism.MLKEM{}, priv, ct)
		return []error{err}
	},
	"kem_rsa_v15_decapsulate_oracle": func(a attacker) []error {
		_, priv, err := a.rsa(nil, nil)
		noError(a, err)
		_, err = a.s.Decapsulate(a.Context(), mechanism.RSAPKCS{}, priv, make([]byte, 256))
		return []error{err}
	},
	"key_conjuring": func(a attacker) []error {
		return []error{a.unwrap(mechanism.AESKeyWrap{}, a.wrapper(), counted(40)), a.unwrap(mechanism.AESGCM{IV: counted(12)}, a.wrapper(), counted(48))}
	},
	"key_type_confusion_unwrap": func(a attacker) []error {
		w := a.wrapper()
		generic := object.AttrKeyType.Is(object.KeyGenericSecret)
		return []error{a.unwrap(mechanism.AESKeyWrap{}, w, a.wrapped(w, a.aes()), generic, clear_)}
	},
	"known_secret_wrapping_key": func(a attacker) []error {
		k := must(a.s.Create(a.Context(), secret_.With(object.AttrWrap.Is(true))...))(a)
		return []error{a.wrap(mechanism.AESKeyWrap{}, k, a.aes())}
	},
	"mac_truncation": func(a attacker) []error {
		key := secretKey(a, a.s, object.KeyGenericSecret, counted(32))
		cmac := secretKey(a, a.s, object.KeyAES, counted(32))
		return []error{
			a.s.Verify(a.Context(), mechanism.HMAC{Hash: crypto.SHA256, Length: 1}, key, nil, []byte{1}),
			a.s.Verify(a.Context(), mechanism.HMAC{Hash: crypto.SHA256, Length: 3}, key, nil, []byte{1, 2, 3}),
			a.s.Verify(a.Context(), mechanism.AESCMAC{Length: 1}, cmac, nil, []byte{1}),
		}
	},
	"modify_read_only_object": func(a attacker) []error {
		o := must(a.s.Create(a.Context(), data(engine.PublicSession, "o", object.AttrModifiable.Is(false), object.AttrDestroyable.Is(false), object.AttrCopyable.Is(false))...))(a)
		return []error{a.s.Set(a.Context(), o, object.AttrLabel.Is("x")), a.s.Destroy(a.Context(), o), a.copy(o)}
	},
	"null_mechanism_wrap": func(a attacker) []error {
		return []error{a.wrap(mechanism.Raw{T: mechanism.TypeNull}, a.wrapper(), a.aes())}
	},
	"oaep_manger_oracle": func(a attacker) []error {
		_, priv, err := a.rsa(nil, object.Template{object.AttrDecrypt.Is(true), object.AttrUnwrap.Is(true)})
		noError(a, err)
		m := mechanism.RSAOAEP{Hash: crypto.SHA256}
		var all []error
		for _, ct := range [][]byte{make([]byte, 256), append([]byte{0}, counted(255)...), bytes.Repeat([]byte{0xff}, 256)} {
			_, err := a.s.Decrypt(a.Context(), m, priv, ct)
			all = append(all, err, a.unwrap(m, priv, ct))
		}
		return all
	},
	"operation_state_leak": func(a attacker) []error {
		h := must(a.s.NewDigest(a.Context(), mechanism.Digest{Hash: crypto.SHA256}))(a)
		noError(a, h.Key(a.Context(), a.base(counted(32), false)))
		_, err := h.State()
		return []error{err}
	},
	"parallel_key_search": func(a attacker) []error {
		_, err := a.s.GenerateKey(a.Context(), mechanism.DESKeyGen{})
		return []error{err, a.create(object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyDES), object.AttrValue.Is(counted(8)))}
	},
	"pkcs1v15_oracle_decrypt": func(a attacker) []error {
		_, priv, err := a.rsa(nil, nil)
		noError(a, err)
		var all []error
		for _, ct := range [][]byte{make([]byte, 256), append([]byte{0}, counted(255)...), bytes.Repeat([]byte{0xff}, 256)} {
			_, err := a.s.Decrypt(a.Context(), mechanism.RSAPKCS{}, priv, ct)
			all = append(all, err)
		}
		return all
	},
	"pkcs1v15_oracle_unwrap": func(a attacker) []error {
		pub, priv, err := a.rsa(nil, object.Template{object.AttrUnwrap.Is(true)})
		noError(a, err)
		good := must(a.s.Encrypt(a.Context(), mechanism.RSAPKCS{}, pub, counted(16)))(a)
		n := object.AttrValueLen.Is(16)
		return []error{
			a.unwrap(mechanism.RSAPKCS{}, priv, good, n), a.unwrap(mechanism.RSAPKCS{}, priv, append([]byte{0}, counted(255)...), n),
			a.unwrap(mechanism.RSAPKCS{}, priv, good, object.AttrValueLen.Is(32)),
		}
	},
	"pkcs8_parameter_substitution": func(a attacker) []error {
		w, k := a.injector()
		curve := elliptic.P256().Params()
		type explicit struct{ P, B, G, N *big.Int }
		parameters := must(asn1.Marshal(explicit{curve.P, curve.B, curve.Gx, curve.N}))(a)
		forged := must(asn1.Marshal(struct {
			Version   int
			Algorithm struct {
				OID        asn1.ObjectIdentifier
				Parameters asn1.RawValue
			}
			Key []byte
		}{0, struct {
			OID        asn1.ObjectIdentifier
			Parameters asn1.RawValue
		}{asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, asn1.RawValue{FullBytes: parameters}}, counted(32)}))(a)
		return []error{a.inject(w, k, forged, object.KeyEC)}
	},
	"private_key_modification_fault": func(a attacker) []error {
		w, k := a.injector()
		key := must(rsa.GenerateKey(rand.Reader, 2048))(a)
		t := must(soft.PrivateTemplate(key))(a)
		bad := object.AttrCoefficient.Is(new(big.Int).Add(key.Precomputed.Qinv, big.NewInt(2)))
		noError(a, a.create(t...))
		if err := a.create(t.With(bad)...); ckr.Of(err) != ckr.AttributeValueInvalid {
			a.Errorf("creating it: %v", err)
		}
		der := must(soft.Export(must(soft.NewMaterial(t))(a)))(a)
		der[len(der)-5] ^= 1
		return []error{a.inject(w, k, der, object.KeyRSA)}
	},
	"reimport_with_new_attributes": func(a attacker) []error {
		w := a.wrapper()
		blob := a.wrapped(w, a.aes())
		return []error{a.unwrap(mechanism.AESKeyWrap{}, w, blob, object.AttrWrap.Is(true), object.AttrDecrypt.Is(false)), a.unwrap(mechanism.AESKeyWrap{}, w, blob, object.AttrUnwrap.Is(true))}
	},
	"rsa_decrypt_as_sign": func(a attacker) []error {
		_, priv, err := a.rsa(nil, object.Template{object.AttrDecrypt.Is(true)})
		noError(a, err)
		_, err = a.s.Decrypt(a.Context(), mechanism.RSAX509{}, priv, make([]byte, 256))
		return []error{err}
	},
	"rsa_known_structure_broadcast": func(a attacker) []error {
		pub, _, err := a.rsa(object.Template{object.AttrWrap.Is(true)}, object.Template{object.AttrUnwrap.Is(true)})
		noError(a, err)
		return []error{a.wrap(mechanism.RSAX509{}, pub, a.aes())}
	},
	"rsa_sign_as_decrypt": func(a attacker) []error {
		_, priv, err := a.rsa(nil, object.Template{object.AttrSign.Is(true)})
		noError(a, err)
		_, raw := a.s.Sign(a.Context(), mechanism.RSAX509{}, priv, make([]byte, 256))
		_, err = a.s.Decrypt(a.Context(), mechanism.RSAPKCS{}, priv, make([]byte, 256))
		return []error{raw, err}
	},
	"rsa_small_exponent_raw_wrap": func(a attacker) []error {
		key := must(rsa.GenerateKey(rand.Reader, 2048))(a)
		p := must(a.s.Create(a.Context(), object.AttrClass.Is(object.ClassPublicKey), object.AttrKeyType.Is(object.KeyRSA),
			object.AttrModulus.Is(key.N), object.AttrPublicExponent.Is(big.NewInt(3)), object.AttrWrap.Is(true)))(a)
		return []error{a.wrap(mechanism.RSAX509{}, p, a.aes())}
	},
	"sensitive_value_readable": func(a attacker) []error {
		_, priv := pair(a, a.s, engine.PrivateToken, "k")
		return []error{a.read(a.aes(), object.AttrValue.Type), a.read(priv, object.AttrValue.Type)}
	},
	"session_key_lost_as_wrapper": func(a attacker) []error {
		w := a.wrapper(object.AttrWrapTemplate.Is(object.Template{object.AttrLabel.Is("may leave")}))
		noError(a, a.wrap(mechanism.AESKeyWrap{}, w, a.aes(object.AttrLabel.Is("may leave"))))
		return []error{a.wrap(mechanism.AESKeyWrap{}, w, a.aes())}
	},
	"set_attribute_role_switch": func(a attacker) []error {
		w := a.wrapper()
		set := func(attrs ...object.Attribute) error { return a.s.Set(a.Context(), w, attrs...) }
		return []error{set(object.AttrWrap.Is(false)), set(object.AttrDecrypt.Is(true)), set(object.AttrWrap.Is(false), object.AttrDecrypt.Is(true))}
	},
	"short_hash_derive": func(a attacker) []error {
		return []error{a.derive(mechanism.HashDerive{Hash: crypto.SHA256}, a.base([]byte("pin"), true), clear_)}
	},
	"sticky_downgrade_copy": func(a attacker) []error {
		key := a.aes(object.AttrExtractable.Is(false))
		return []error{a.copy(key, clear_), a.copy(key, object.AttrExtractable.Is(true))}
	},
	"sticky_downgrade_set": func(a attacker) []error {
		key := a.aes(object.AttrExtractable.Is(false))
		return []error{a.s.Set(a.Context(), key, clear_), a.s.Set(a.Context(), key, object.AttrExtractable.Is(true))}
	},
	"stream_wrap_malleability": func(a attacker) []error {
		m := mechanism.AESCTR{CounterBits: 128, CB: counted(16)}
		return []error{a.wrap(m, a.wrapper(), a.aes()), a.unwrap(m, a.wrapper(), counted(32))}
	},
	"trojan_public_wrapping_key": func(a attacker) []error {
		t := must(soft.PublicTemplate(must(rsa.GenerateKey(rand.Reader, 2048))(a).Public()))(a)
		p := must(a.s.Create(a.Context(), t.With(object.AttrWrap.Is(true))...))(a)
		oaep := mechanism.RSAOAEP{Hash: crypto.SHA256}
		t = must(soft.PublicTemplate(must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(a).Public()))(a)
		c := must(a.s.Create(a.Context(), t.With(object.AttrWrap.Is(true))...))(a)
		return []error{
			a.wrap(oaep, p, a.aes()), a.wrap(mechanism.RSAAESKeyWrap{KeyBits: 256, OAEP: oaep}, p, a.aes()),
			a.wrap(mechanism.ECDHAESKeyWrap{KeyBits: 256}, c, a.aes()),
		}
	},
	"trusted_set_by_user": func(a attacker) []error {
		trusted := object.AttrTrusted.Is(true)
		return []error{a.create(secret_.With(trusted)...), a.s.Set(a.Context(), a.wrapper(), trusted), a.copy(a.wrapper(), trusted)}
	},
	"unwrap_length_truncation": func(a attacker) []error {
		w := a.wrapper()
		blob := a.wrapped(w, a.aes())
		generic := object.AttrKeyType.Is(object.KeyGenericSecret)
		return []error{a.unwrap(mechanism.AESKeyWrap{}, w, blob, generic, object.AttrValueLen.Is(1)), a.unwrap(mechanism.AESKeyWrap{}, w, blob, object.AttrValueLen.Is(16))}
	},
	"unwrap_template_override": func(a attacker) []error {
		w := a.wrapper(object.AttrUnwrapTemplate.Is(object.Template{object.AttrSensitive.Is(true)}))
		return []error{a.unwrap(mechanism.AESKeyWrap{}, w, a.wrapped(w, a.aes()), clear_)}
	},
	"unwrap_to_non_sensitive": func(a attacker) []error {
		w := a.wrapper()
		return []error{a.unwrap(mechanism.AESKeyWrap{}, w, a.wrapped(w, a.aes()), clear_, object.AttrExtractable.Is(true))}
	},
	"unwrap_twice_conflicting_templates": func(a attacker) []error {
		w := a.wrapper()
		blob := a.wrapped(w, a.aes())
		noError(a, a.unwrap(mechanism.AESKeyWrap{}, w, blob, object.AttrDecrypt.Is(true)))
		return []error{a.unwrap(mechanism.AESKeyWrap{}, w, blob, object.AttrWrap.Is(true))}
	},
	"wrap_decrypt_asymmetric": func(a attacker) []error {
		wraps, unwraps := object.Template{object.AttrWrap.Is(true)}, object.AttrUnwrap.Is(true)
		_, _, err := a.rsa(wraps, object.Template{object.AttrDecrypt.Is(true), unwraps})
		_, _, derives := a.ec(wraps, object.Template{object.AttrDerive.Is(true), unwraps})
		return []error{err, derives}
	},
	"wrap_decrypt_symmetric": func(a attacker) []error {
		both := object.Template{object.AttrWrap.Is(true), object.AttrDecrypt.Is(true)}
		_, err := a.s.GenerateKey(a.Context(), mechanism.AESKeyGen{}, both.With(object.AttrValueLen.Is(16))...)
		return []error{err, a.create(secret_.With(both...)...)}
	},
	"wrap_template_mismatch": func(a attacker) []error {
		w := a.wrapper(object.AttrWrapTemplate.Is(object.Template{object.AttrLabel.Is("x")}))
		return []error{a.wrap(mechanism.AESKeyWrap{}, w, a.aes(object.AttrLabel.Is("y")))}
	},
	"wrap_under_itself_or_cycle": func(a attacker) []error {
		w := a.wrapper()
		return []error{a.wrap(mechanism.AESKeyWrap{}, w, w)}
	},
	"wrap_with_trusted_bypass": func(a attacker) []error {
		return []error{a.wrap(mechanism.AESKeyWrap{}, a.wrapper(), a.aes(object.AttrWrapWithTrusted.Is(true)))}
	},
	"wrap_with_weaker_key": func(a attacker) []error {
		return []error{a.wrap(mechanism.AESKeyWrap{}, a.wrapper(object.AttrValueLen.Is(16)), a.aes())}
	},
	"xor_derive_related_key": func(a attacker) []error {
		return []error{a.derive(mechanism.XORBaseAndData{Data: counted(16)}, a.base(counted(16), true))}
	},
	"xor_derive_truncation": func(a attacker) []error {
		return []error{
			a.derive(mechanism.XORBaseAndData{Data: []byte{1}}, a.base(counted(16), false)),
			a.derive(mechanism.XORBaseAndData{Data: counted(16)}, a.base(counted(16), false), object.AttrValueLen.Is(1)),
		}
	},
}

func (a attacker) copy(o *object.Object, changes ...object.Attribute) error {
	_, err := a.s.Copy(a.Context(), o, changes...)
	return err
}

// injector makes a key that unwraps, and one of the same value that encrypts
// what is to be unwrapped: more than an attacker has.
func (a attacker) injector() (unwraps, encrypts *object.Object) {
	return must(a.s.Create(a.Context(), secret_.With(object.AttrUnwrap.Is(true))...))(a), secretKey(a, a.s, object.KeyAES, counted(32))
}

func (a attacker) inject(unwraps, encrypts *object.Object, value []byte, kt object.KeyType) error {
	blob := must(a.s.Encrypt(a.Context(), mechanism.AESKeyWrapKWP{}, encrypts, value))(a)
	return a.unwrap(mechanism.AESKeyWrapKWP{}, unwraps, blob, object.AttrClass.Is(object.ClassPrivateKey), object.AttrKeyType.Is(kt))
}

// answered are the rows whose answer is another than a code of theirs, or that
// are tested elsewhere.
var answered = map[string]func(t *testing.T){
	// Unwrapping by a mechanism that does not authenticate is not offered, which
	// the rows have as the better answer than a code for each blob.
	"cbc_pad_oracle_unwrap": notOffered, "cbc_wrap_malleability": notOffered,
	"key_substitution_by_label":    originShows,
	"pin_retry_bypass":             oneCounter,
	"stateful_signature_copy":      statesStayAlone,
	"unextractable_value_readable": unextractable,
}

func notOffered(t *testing.T) {
	a := newAttacker(t)
	for _, m := range []mechanism.Mechanism{mechanism.AESCBC{IV: counted(16)}, mechanism.AESCBCPad{IV: counted(16)}} {
		isCode(t, a.unwrap(m, a.wrapper(), counted(48)), ckr.MechanismInvalid)
		isCode(t, a.wrap(m, a.wrapper(), a.aes()), ckr.MechanismInvalid)
	}
}

// originShows checks that an application can tell a key made by the token from
// one that was put in its place.
func originShows(t *testing.T) {
	a := newAttacker(t)
	made := a.aes(object.AttrLabel.Is("k"), object.AttrExtractable.Is(false))
	put := must(a.s.Create(a.Context(), secret_.With(object.AttrLabel.Is("k"))...))(t)
	for _, attr := range []object.Attr[bool]{object.AttrLocal, object.AttrNeverExtractable, object.AttrAlwaysSensitive} {
		if !must(object.Get(a.Context(), made, attr))(t) || must(object.Get(a.Context(), put, attr))(t) {
			t.Errorf("%v does not tell them apart", attr)
		}
	}
	if must(object.Get(a.Context(), made, object.AttrUniqueID))(t) == must(object.Get(a.Context(), put, object.AttrUniqueID))(t) {
		t.Error("two objects have one unique id")
	}
}

// oneCounter spends tries by several doors.
func oneCounter(t *testing.T) {
	r := newRig(t)
	s := r.open(true)
	ctx := t.Context()
	doors := []func() error{
		func() error { return s.Login(ctx, token.User, pin(wrongPIN)) },
		func() error { return s.SetPIN(ctx, pin(wrongPIN), pin("111111")) },
		func() error { return r.application().open(true).Login(ctx, token.User, pin(wrongPIN)) },
	}
	locked := false
	for i := range 30 {
		err := doors[i%len(doors)]()
		hasCode(t, err, "CKR_PIN_INCORRECT|CKR_PIN_LOCKED")
		if locked && !errors.Is(err, ckr.PINLocked) {
			t.Fatalf("after it was locked: %v", err)
		}
		locked = locked || errors.Is(err, ckr.PINLocked)
	}
	if !locked {
		t.Error("the PIN does not lock")
	}
}

// statesStayAlone asks the rules, since no such key can be had in software.
func statesStayAlone(t *testing.T) {
	key := object.Template{
		object.AttrClass.Is(object.ClassPrivateKey), object.AttrKeyType.Is(object.KeyHSS), object.AttrSign.Is(true),
		object.AttrSensitive.Is(true), object.AttrExtractable.Is(false), object.AttrCopyable.Is(true),
	}
	_, err := object.Copy(key, nil, false)
	isCode(t, err, ckr.ActionProhibited)
	isCode(t, object.CheckWrap(object.Template{object.AttrTrusted.Is(true)}, key), ckr.KeyUnextractable)
}

func unextractable(t *testing.T) {
	a := newAttacker(t)
	key := a.aes(clear_, object.AttrExtractable.Is(false))
	isCode(t, a.read(key, object.AttrValue.Type), ckr.AttributeSensitive)
	isCode(t, a.wrap(mechanism.AESKeyWrap{}, a.wrapper(), key), ckr.KeyUnextractable)
}

// TestAttacks runs every row of the table of attacks.
func TestAttacks(t *testing.T) {
	codes := regexp.MustCompile(`CKR_[A-Z0-9_]+`)
	seen := map[string]bool{}
	for _, row := range must(spec.Rows("attacks.tsv"))(t) {
		name := row["attack"]
		seen[name] = true
		if f := answered[name]; f != nil {
			t.Run(name, f)
			continue
		}
		attack := attacks[name]
		if attack == nil {
			t.Errorf("%s is not tried", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAttacker(t)
			want := codes.FindAllString(row["expected_code"], -1)
			for i, err := range attack(a) {
				if got := ckr.Of(err).Name(); !contains(want, got) {
					t.Errorf("call %d gives %s, want one of %v: %v", i, got, want, err)
				}
			}
		})
	}
	for name := range attacks {
		if !seen[name] {
			t.Errorf("there is no row %s", name)
		}
	}
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// TestLegacyIsAskedFor opens a Module that has what is old.
func TestLegacyIsAskedFor(t *testing.T) {
	ctx := t.Context()
	old := legacyRig(t)
	s := old.openAs(token.User)
	key := must(s.GenerateKey(ctx, mechanism.DES3KeyGen{}, object.AttrEncrypt.Is(true), object.AttrDecrypt.Is(true)))(t)
	m := mechanism.DES3CBCPad{IV: counted(8)}
	if got := must(s.Decrypt(ctx, m, key, must(s.Encrypt(ctx, m, key, counted(20)))(t)))(t); !bytes.Equal(got, counted(20)) {
		t.Errorf("%x", got)
	}
	must(s.Digest(ctx, mechanism.Digest{Hash: crypto.MD5}, nil))(t)
	pub, priv, err := s.GenerateKeyPair(ctx, mechanism.RSAKeyPairGen{}, object.Template{object.AttrModulusBits.Is(1024)}, nil)
	noError(t, err)
	sig := must(s.Sign(ctx, mechanism.RSAX509{}, priv, []byte("raw")))(t)
	noError(t, s.Verify(ctx, mechanism.RSAX509{}, pub, []byte("raw"), sig))

	fresh := newAttacker(t).s
	_, err = fresh.Digest(ctx, mechanism.Digest{Hash: crypto.MD5}, nil)
	isCode(t, err, ckr.MechanismInvalid)
	_, _, err = fresh.GenerateKeyPair(ctx, mechanism.RSAKeyPairGen{}, object.Template{object.AttrModulusBits.Is(1024)}, nil)
	isCode(t, err, ckr.KeySizeRange)
	if _, ok := fresh.Token().Mechanisms()[mechanism.TypeDES3CBC]; ok {
		t.Error("triple DES is listed")
	}
}

// legacyRig is newRig with a Module that was opened with WithLegacy.
func legacyRig(t *testing.T) *rig {
	t.Helper()
	card := virtual.New()
	r := &rig{t: t, ctx: t.Context(), card: card, readers: virtual.Single(card)}
	r.module = must(cryptoki.Open(r.ctx, cryptoki.WithProvider(r.readers), cryptoki.WithLegacy()))(t)
	t.Cleanup(func() { r.module.Close() })
	r.look()
	r.initialise()
	return r
}
