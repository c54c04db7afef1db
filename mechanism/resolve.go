package mechanism

import "reflect"

// Resolve returns m as the type of this package that stands for it: a [Raw]
// mechanism of the standard whose parameter is nothing, a plain byte string or
// a CK_ULONG (8 bytes, little-endian) becomes that type, and a pointer to a
// mechanism becomes what it points to.
// Others, and nil, are returned as they are; a nil pointer is returned as nil.
func Resolve(m Mechanism) Mechanism {
	if m == nil {
		return nil
	}
	if v := reflect.ValueOf(m); v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		if inner, ok := v.Elem().Interface().(Mechanism); ok {
			m = inner
		}
	}
	if raw, ok := m.(Raw); ok {
		return resolveRaw(raw)
	}
	return m
}

func resolveRaw(raw Raw) Mechanism {
	f, ok := forms()[raw.T]
	switch {
	case !ok:
		return raw
	case len(raw.Param) == 0 && f.bare:
		return f.blank
	case f.parse == nil:
		return raw
	}
	if m := f.parse(raw.Param); m != nil {
		return m
	}
	return raw
}
