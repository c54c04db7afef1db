package soft

import (
	"crypto/fips140"
	"sync"

	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// offered returns the rows that this program may do: not those that no
// mechanism of the standard stands for, nor those that its FIPS 140 mode
// forbids.
var offered = sync.OnceValue(func() map[mechanism.Type]*row {
	may := map[mechanism.Type]*row{}
	for t, r := range table().all() {
		_, prepared := mechanism.Prehash(r.mech)
		if mechanism.Check(r.mech) == nil && r.forbidden(prepared) == nil {
			may[t] = r
		}
	}
	return may
})

// at returns what the row does for who asks for what is old, or does not.
func (r *row) at(legacy bool) mechanism.Flags {
	f := r.flags
	if !legacy {
		f &^= r.legacy
	}
	if f&^onCurve == 0 {
		return 0
	}
	return f
}

// info describes the row with some of its flags.
func (r *row) info(flags mechanism.Flags, legacy bool) mechanism.Info {
	least := r.sizes.min
	if !legacy && r.keys.pair && r.keys.has(object.KeyRSA) {
		least = soundRSA
	}
	return mechanism.Info{MinKeySize: least, MaxKeySize: r.sizes.max, Flags: flags}
}

// All returns all that software does, with public keys and keys of sessions;
// with legacy also what is broken or weak.
func All(legacy bool) map[mechanism.Type]mechanism.Info {
	infos := map[mechanism.Type]mechanism.Info{}
	for t, r := range offered() {
		if flags := r.at(legacy); flags != 0 {
			infos[t] = r.info(flags, legacy)
		}
	}
	return infos
}

// Supports reports whether software does a mechanism with some key.
func Supports(t mechanism.Type, legacy bool) bool {
	r, ok := offered()[t]
	return ok && r.at(legacy) != 0
}

// kind is what the mechanisms of a key depend on.
type kind struct {
	class  object.Class
	key    object.KeyType
	legacy bool
}

// kinds holds what was found for each kind: a map that is shared.
var kinds sync.Map

// Mechanisms returns what software does with the key that a template
// describes, whose values need not be known; with legacy also what is broken
// or weak. The key's own usage flags and CKA_ALLOWED_MECHANISMS are not looked
// at. Keys that software cannot use, as those of unknown curves and of sizes
// out of range, have none. The map is shared: it is not to be changed.
func Mechanisms(all object.Template, legacy bool) map[mechanism.Type]mechanism.Info {
	class, _ := object.In(all, object.AttrClass)
	key, ok := object.In(all, object.AttrKeyType)
	if !ok || !class.IsKey() || !usable(class, key, all) || !legacy && Weak(all) {
		return nil
	}
	k := kind{class, key, legacy}
	if found, ok := kinds.Load(k); ok {
		return found.(map[mechanism.Type]mechanism.Info)
	}
	found := map[mechanism.Type]mechanism.Info{}
	for t, r := range offered() {
		if flags := r.at(legacy) & (r.keys.uses(class) | onCurve); flags&^onCurve != 0 && r.keys.has(key) {
			found[t] = r.info(flags, legacy)
		}
	}
	if key < object.KeyVendorDefined { // those are bounded
		kinds.Store(k, found)
	}
	return found
}

// Weak reports whether a template describes a key that is used only where
// what is old is asked for: DES, and RSA with less than 2048 bits.
func Weak(all object.Template) bool {
	key, _ := object.In(all, object.AttrKeyType)
	switch key {
	case object.KeyDES, object.KeyDES2, object.KeyDES3, object.KeyMD5HMAC:
		return true
	case object.KeyRSA:
		if n, ok := object.In(all, object.AttrModulus); ok {
			return n.BitLen() < soundRSA
		}
		bits, ok := object.In(all, object.AttrModulusBits)
		return ok && bits < soundRSA
	}
	return false
}

// usable reports whether software computes with keys of that curve or size.
func usable(class object.Class, key object.KeyType, all object.Template) bool {
	switch {
	case class == object.ClassSecretKey:
		return key != object.KeyRSA
	case key == object.KeyRSA:
		n, hasN := object.In(all, object.AttrModulus)
		e, hasE := object.In(all, object.AttrPublicExponent)
		return hasN && n.BitLen() >= minRSA && n.BitLen() <= maxRSA && (!hasE || e.BitLen() <= longestExponent(class))
	case seedSizes[key] > 0 || key == object.KeySLHDSA:
		set, _ := object.In(all, object.AttrParameterSet)
		_, known := object.PublicLength(key, set)
		return known
	}
	params, _ := object.In(all, object.AttrECParams)
	curve, err := object.CurveOf(params)
	return err == nil && curve.Key == key && !((key == object.KeyECMontgomery || curve.Name == "edwards448") && fips140.Enforced())
}
