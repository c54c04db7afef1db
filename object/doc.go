// Package object is the object model of PKCS #11: classes, attributes,
// templates, and the rules that say which object may have which attribute, who
// may set it, and who may read it.
//
// An attribute has a Go type. [Attr.Is] makes one for a template or a search,
// [In] finds one in a template, and [Get] reads one of an object:
//
//	template := object.Template{
//		object.AttrClass.Is(object.ClassSecretKey),
//		object.AttrKeyType.Is(object.KeyAES),
//		object.AttrLabel.Is("backup"),
//		object.AttrValueLen.Is(32),
//	}
//	label, ok := object.In(template, object.AttrLabel)     // "backup", true
//	id, err := object.Get(ctx, key, object.AttrID)         // may read the card
//
// An [Attribute] holds its value in one canonical encoding, so that two
// attributes are equal exactly when their bytes are. [Raw] brings bytes from
// elsewhere into it.
//
// The rules are the tables of PKCS #11 v3.2 chapters 4 and 6. [Rules] looks
// them up; [Complete], [CheckSet] and [Copy] apply them to templates for making,
// changing and copying objects, [Hidden] and [Searchable] to reading, and
// [CheckWrap] and [CheckUnwrap] to keys that leave and enter a token. They
// decide by attributes alone. Who is logged in, and which session may write
// what, is for internal/engine to say.
//
// # Secrets
//
// Attributes print their values only where no class of objects hides them.
// Making an attribute copies the bytes; who made a template that holds
// secrets clears it by [Template.Clear] when done.
package object

//go:generate go run ../internal/spec/gen constants_gen.go
//go:generate go run ../internal/spec/gen attributes_gen.go
//go:generate go run ../internal/spec/gen rules_gen.go
