package object

import (
	"cmp"
	"slices"

	"github.com/go-cryptoki/cryptoki/ckr"
)

// Template is a list of attributes: what an object shall have, or what is
// looked for. The order does not matter. Methods that change one return a
// copy, which shares the bytes of the attributes with the old one.
type Template []Attribute

// Lookup returns the first attribute of a type.
func (t Template) Lookup(typ Type) (Attribute, bool) {
	if i := t.index(typ); i >= 0 {
		return t[i], true
	}
	return Attribute{}, false
}

func (t Template) index(typ Type) int {
	for i := range t {
		if t[i].Type == typ {
			return i
		}
	}
	return -1
}

// Has reports whether the template has an attribute of a type.
func (t Template) Has(typ Type) bool { return t.index(typ) >= 0 }

// With returns a copy that has the given attributes: each replaces those of
// its type, or comes last.
func (t Template) With(attributes ...Attribute) Template {
	out := make(Template, len(t), len(t)+len(attributes))
	copy(out, t)
	for _, a := range attributes {
		i := slices.IndexFunc(out, func(b Attribute) bool { return b.Type == a.Type })
		if i < 0 {
			out = append(out, a)
			continue
		}
		out[i] = a
		rest := out[i+1:]
		out = out[:i+1+len(slices.DeleteFunc(rest, func(b Attribute) bool { return b.Type == a.Type }))]
	}
	return out
}

// Default returns a copy that has the given attributes where t has none of
// their type.
func (t Template) Default(attributes ...Attribute) Template {
	out := slices.Clone(t)
	for _, a := range attributes {
		if !out.Has(a.Type) {
			out = append(out, a)
		}
	}
	return out
}

// fill is Default for a template that nobody else has: it may grow in place.
func (t Template) fill(attributes ...Attribute) Template {
	for _, a := range attributes {
		if !t.Has(a.Type) {
			t = append(t, a)
		}
	}
	return t
}

// Without returns a copy that lacks the given types.
func (t Template) Without(types ...Type) Template {
	return slices.DeleteFunc(slices.Clone(t), func(a Attribute) bool { return slices.Contains(types, a.Type) })
}

// Clone returns a copy that shares no bytes with t.
func (t Template) Clone() Template {
	if t == nil {
		return nil
	}
	size := 0
	for i := range t {
		size += len(t[i].value)
	}
	out, values := make(Template, len(t), len(t)+1), make([]byte, 0, size) // with room for CKA_UNIQUE_ID
	for i, a := range t {
		if a.value != nil {
			start := len(values)
			values = append(values, a.value...)
			a.value = values[start:len(values):len(values)]
		}
		a.nested = a.nested.Clone()
		out[i] = a
	}
	return out
}

// Clear overwrites all values with zeros.
func (t Template) Clear() {
	for _, a := range t {
		a.Clear()
	}
}

// In returns the value of an attribute in a template. ok is false if it is
// absent or not decodable.
func In[T any](t Template, a Attr[T]) (v T, ok bool) {
	found, ok := t.Lookup(a.Type)
	if !ok {
		return v, false
	}
	v, err := Decode(a, found)
	return v, err == nil
}

// Is reports whether a template has an attribute that is true.
func Is(t Template, a Attr[bool]) bool {
	found, _ := t.Lookup(a.Type)
	v, _ := decodeBool(found.value)
	return v && !found.bad && !found.array
}

// Matches reports whether the template has every attribute of match with an
// equal value. An empty match matches everything.
func (t Template) Matches(match []Attribute) bool {
	for _, want := range match {
		got, ok := t.Lookup(want.Type)
		if !ok || !got.Equal(want) {
			return false
		}
	}
	return true
}

// Bounds of templates: more attributes than the standard has many times over,
// and deeper than templates within templates make sense.
const (
	maxAttributes = 4096
	maxNesting    = 4
)

// Validate checks a template by itself, whatever it is for. It returns
// ckr.TemplateInconsistent if an attribute comes twice with different values,
// ckr.AttributeTypeInvalid for an attribute that neither the standard nor a
// token's maker can have, ckr.AttributeValueInvalid for a value whose bytes
// are not of the attribute's kind, and ckr.ArgumentsBad for a template with
// more than 4096 attributes or nested more than 4 deep. The same attribute
// twice with one value is accepted.
func (t Template) Validate() error { return t.validate(maxNesting) }

func (t Template) validate(depth int) error {
	if len(t) > maxAttributes || depth < 0 {
		return ckr.Newf(ckr.ArgumentsBad, "template", "too large")
	}
	for _, a := range t {
		if !a.Type.Known() && !a.Type.Vendor() {
			return ckr.New(ckr.AttributeTypeInvalid, a.Type.String(), nil)
		}
		if err := a.validate(depth); err != nil {
			return err
		}
	}
	return t.duplicates()
}

func (a Attribute) validate(depth int) error {
	if a.array && (a.Type.Kind() == KindTemplate || a.Type.Vendor()) {
		return a.nested.validate(depth - 1)
	}
	if problem := a.Type.Kind().problem(a); problem != "" {
		return ckr.Newf(ckr.AttributeValueInvalid, a.Type.String(), "%s", problem)
	}
	return nil
}

// few is a number of attributes up to which comparing each with each is
// quicker than sorting.
const few = 32

func (t Template) duplicates() error {
	if len(t) <= few {
		for i := range t {
			for j := range t[:i] {
				if t[i].Type == t[j].Type && !t[i].Equal(t[j]) {
					return twice(t[i].Type)
				}
			}
		}
		return nil
	}
	return t.sortedDuplicates()
}

func twice(typ Type) error {
	return ckr.Newf(ckr.TemplateInconsistent, typ.String(), "given twice with different values")
}

// sortedDuplicates sorts by type, so that a template of bounded length is
// checked in bounded time.
func (t Template) sortedDuplicates() error {
	order := make([]int, len(t))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		return cmp.Or(cmp.Compare(t[i].Type, t[j].Type), i-j)
	})
	for k := 1; k < len(order); k++ {
		a, b := t[order[k-1]], t[order[k]]
		if a.Type == b.Type && !a.Equal(b) {
			return twice(a.Type)
		}
	}
	return nil
}

// Duplicates returns ckr.TemplateInconsistent if an attribute comes twice with
// different values.
func (t Template) Duplicates() error { return t.duplicates() }

// unique returns a copy without the repetitions that duplicates allows.
func (t Template) unique() Template {
	out := make(Template, 0, max(len(t), 24)) // with room for defaults
	if len(t) <= few {
		for i, a := range t {
			if !t[:i].Has(a.Type) {
				out = append(out, a)
			}
		}
		return out
	}
	seen := make(map[Type]bool, len(t))
	for _, a := range t {
		if !seen[a.Type] {
			seen[a.Type] = true
			out = append(out, a)
		}
	}
	return out
}
