package object

import (
	"context"
	"fmt"

	"github.com/go-cryptoki/cryptoki/ckr"
)

// Value is an attribute as it was read, or the reason why it was not: Code is
// ckr.OK, or ckr.AttributeSensitive, ckr.AttributeTypeInvalid or another code
// and the attribute is empty but for its type.
type Value struct {
	Attribute
	Code ckr.Code
}

// Format prints the attribute, or its type and the code.
func (v Value) Format(f fmt.State, verb rune) {
	if v.Code == ckr.OK {
		v.Attribute.Format(f, verb)
		return
	}
	fmt.Fprintf(f, "%s: %s", v.Type, v.Code.Error())
}

// Source reads the attributes of objects; the tokens of the library implement it.
type Source interface {
	// Values returns one value for each type, in order. It may read the
	// card. Attributes that cannot be read have a code; an error is
	// returned only if the object itself cannot be used any more, or the
	// card not reached.
	Values(ctx context.Context, o *Object, types []Type) ([]Value, error)
}

// Object is a handle to an object of a token. It stays valid as long as the
// object exists for the application that found it: after that, every use
// returns ckr.ObjectHandleInvalid. Attributes are read when asked for.
type Object struct {
	source Source
	handle uint64
	class  Class
}

// New returns an object that reads its attributes from src. It is for those
// who implement [Source].
func New(src Source, handle uint64, class Class) *Object {
	return &Object{source: src, handle: handle, class: class}
}

// Handle returns the object's handle, a CK_OBJECT_HANDLE: a number other than
// 0 that means the object in all sessions of one application.
func (o *Object) Handle() uint64 { return o.handle }

// Class returns the object's class, without reaching the card.
func (o *Object) Class() Class { return o.class }

// IsKeyRef marks objects as parameters of mechanisms.
func (o *Object) IsKeyRef() {}

// String returns the object for people to read, as in
// "object 7 (private key)".
func (o *Object) String() string {
	if o == nil {
		return "no object"
	}
	return fmt.Sprintf("object %d (%s)", o.handle, o.class.words())
}

// Values reads attributes, which may reach the card. It returns one value for
// each type, in order, with a code for each that cannot be read, as
// C_GetAttributeValue does (PKCS #11 v3.2 §5.7.5). The error is
// ckr.ObjectHandleInvalid if the object exists no more.
func (o *Object) Values(ctx context.Context, types ...Type) ([]Value, error) {
	if o == nil || o.source == nil {
		return nil, ckr.New(ckr.ObjectHandleInvalid, "read attributes", nil)
	}
	values, err := o.source.Values(ctx, o, types)
	if err != nil {
		return nil, err
	}
	if len(values) != len(types) {
		return nil, ckr.Newf(ckr.GeneralError, "read attributes", "%d values for %d attributes", len(values), len(types))
	}
	return values, nil
}

// Get reads one attribute, which may reach the card. The error is that of
// [Object.Values], or has the code of the value: ckr.AttributeSensitive,
// ckr.AttributeTypeInvalid, or ckr.AttributeValueInvalid if it is not of the
// attribute's kind.
func Get[T any](ctx context.Context, o *Object, a Attr[T]) (T, error) {
	var zero T
	values, err := o.Values(ctx, a.Type)
	if err != nil {
		return zero, err
	}
	if code := values[0].Code; code != ckr.OK {
		return zero, ckr.New(code, a.Type.String(), nil)
	}
	return Decode(a, values[0].Attribute)
}
