package uri

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// URI is a PKCS #11 URI. A nil field is absent and matches anything; one that
// is empty matches only what is empty.
type URI struct {
	Token, Manufacturer, Model, Serial *string // the token's
	Object, Type                       *string // CKA_LABEL; one of Types
	ID                                 []byte  // CKA_ID, if HasID
	HasID                              bool
	SlotID                             *uint64
	SlotDescription, SlotManufacturer  *string
	LibraryDescription                 *string
	LibraryManufacturer                *string
	LibraryVersion                     *Version

	ModuleName, ModulePath *string
	PINValue, PINSource    *string

	// Vendor attributes. Those of the path match nothing that does not know
	// them.
	VendorPath  []Attribute
	VendorQuery []Attribute
}

// Version is library-version.
type Version struct{ Major, Minor byte }

// Attribute is a vendor's attribute.
type Attribute struct{ Name, Value string }

// Types is the words that the attribute type has.
var Types = []string{"public", "private", "cert", "secret-key", "data"}

// Error says what is wrong with a URI; it does not repeat a PIN.
type Error struct {
	Attribute string // where, or empty
	Reason    string
}

func (e *Error) Error() string {
	if e.Attribute == "" {
		return "PKCS #11 URI: " + e.Reason
	}
	return fmt.Sprintf("PKCS #11 URI: %s: %s", e.Attribute, e.Reason)
}

// Is makes every Error an ErrSyntax.
func (e *Error) Is(target error) bool { return target == ErrSyntax }

// ErrSyntax is what every Error of Parse matches.
var ErrSyntax = errors.New("PKCS #11 URI: malformed")

// maxURI bounds the length of a URI in bytes.
const maxURI = 1 << 16

// text is an attribute of the path or the query with a text value.
type text struct {
	name  string
	field func(u *URI) **string
}

var pathTexts = []text{
	{"token", func(u *URI) **string { return &u.Token }},
	{"manufacturer", func(u *URI) **string { return &u.Manufacturer }},
	{"serial", func(u *URI) **string { return &u.Serial }},
	{"model", func(u *URI) **string { return &u.Model }},
	{"library-manufacturer", func(u *URI) **string { return &u.LibraryManufacturer }},
	{"library-description", func(u *URI) **string { return &u.LibraryDescription }},
	{"object", func(u *URI) **string { return &u.Object }},
	{"type", func(u *URI) **string { return &u.Type }},
	{"slot-manufacturer", func(u *URI) **string { return &u.SlotManufacturer }},
	{"slot-description", func(u *URI) **string { return &u.SlotDescription }},
}

var queryTexts = []text{
	{"pin-source", func(u *URI) **string { return &u.PINSource }},
	{"pin-value", func(u *URI) **string { return &u.PINValue }},
	{"module-name", func(u *URI) **string { return &u.ModuleName }},
	{"module-path", func(u *URI) **string { return &u.ModulePath }},
}

// Parse reads a URI (RFC 7512 §2.3). The scheme may be in letters of any case.
// It also reads what p11-kit reads beyond the standard: a semicolon or ampersand
// too many between attributes and at either end, blanks and line breaks around
// the URI, and the older names object-type, objecttype and pinfile and the type
// secretkey. Where p11-kit would mean more than is written, by leaving out what
// follows an empty attribute or by taking the second of two, an attribute
// counts, or the URI is an error. The errors are *Error.
func Parse(s string) (*URI, error) {
	s = strings.Trim(s, " \t\r\n\v")
	if len(s) > maxURI {
		return nil, &Error{"", fmt.Sprintf("longer than %d bytes", maxURI)}
	}
	const scheme = "pkcs11:"
	if len(s) < len(scheme) || !strings.EqualFold(s[:len(scheme)], scheme) {
		return nil, &Error{"", "does not begin with pkcs11:"}
	}
	path, query, _ := strings.Cut(s[len(scheme):], "?")
	u := &URI{}
	if err := each(path, ";", pathChars, u.setPath); err != nil {
		return nil, err
	}
	if err := each(query, "&", queryChars, u.setQuery); err != nil {
		return nil, err
	}
	if u.PINValue != nil && u.PINSource != nil {
		return nil, &Error{"", "pin-value and pin-source exclude each other"}
	}
	return u, nil
}

// each splits one part of a URI and hands out names and decoded values.
func each(part, separator, plain string, set func(name, value string) error) error {
	for field := range strings.SplitSeq(part, separator) {
		if field == "" {
			continue
		}
		name, raw, ok := strings.Cut(field, "=")
		if !ok || name == "" {
			return &Error{"", "an attribute is a name, = and a value"}
		}
		if !validName(name) {
			return &Error{"", "a name is letters, digits, - and _"} // not quoted: it may be a part of a PIN
		}
		value, err := decode(raw, plain)
		if err != nil {
			return &Error{name, err.Error()}
		}
		if standard, ok := olderNames[name]; ok {
			name = standard
		}
		if err := set(name, value); err != nil {
			return err
		}
	}
	return nil
}

// olderNames are names of attributes from drafts of the standard, which are
// still found.
var olderNames = map[string]string{"object-type": "type", "objecttype": "type", "pinfile": "pin-source"}

func validName(s string) bool {
	for _, c := range []byte(s) {
		if !alphanumeric(c) && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// Bytes that values may hold as they are, beside letters and digits.
const (
	unreserved = "-._~"
	common     = unreserved + ":[]@!$'()*+,="
	pathChars  = common + "&"
	queryChars = common + "/?|"
)

func decode(s, plain string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '%':
			if i+2 >= len(s) {
				return "", errors.New("a percent sign needs two hex digits")
			}
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil || s[i+1] == '+' {
				return "", errors.New("a percent sign needs two hex digits")
			}
			b.WriteByte(byte(n))
			i += 2
		case alphanumeric(c) || strings.IndexByte(plain, c) >= 0:
			b.WriteByte(c)
		default:
			return "", fmt.Errorf("the byte %#02x has to be percent-encoded", c)
		}
	}
	return b.String(), nil
}

func (u *URI) setPath(name, value string) error {
	for _, t := range pathTexts {
		if t.name == name {
			return setText(u, t, value)
		}
	}
	switch name {
	case "id":
		if u.HasID {
			return twice(name)
		}
		u.ID, u.HasID = []byte(value), true
		return nil
	case "slot-id":
		return u.setSlotID(value)
	case "library-version":
		return u.setVersion(value)
	}
	if names(queryTexts, name) {
		return &Error{name, "belongs behind a question mark"}
	}
	for _, a := range u.VendorPath {
		if a.Name == name {
			return twice(name)
		}
	}
	u.VendorPath = append(u.VendorPath, Attribute{name, value})
	return nil
}

func (u *URI) setQuery(name, value string) error {
	for _, t := range queryTexts {
		if t.name == name {
			return setText(u, t, value)
		}
	}
	if names(pathTexts, name) || name == "id" || name == "slot-id" || name == "library-version" {
		return &Error{name, "belongs before the question mark"}
	}
	u.VendorQuery = append(u.VendorQuery, Attribute{name, value})
	return nil
}

// names reports whether one of the attributes has a name. An attribute of the
// standard on the wrong side of the question mark is no vendor's: taken for
// one, a PIN would be printed, and an object would not be looked for.
func names(texts []text, name string) bool {
	return slices.ContainsFunc(texts, func(t text) bool { return t.name == name })
}

func setText(u *URI, t text, value string) error {
	f := t.field(u)
	if *f != nil {
		return twice(t.name)
	}
	if !utf8.ValidString(value) {
		return &Error{t.name, "is not UTF-8"}
	}
	if t.name == "type" && value == "secretkey" { // from a draft
		value = "secret-key"
	}
	if t.name == "type" && !isType(value) {
		return &Error{t.name, "is none of " + strings.Join(Types, ", ")}
	}
	*f = &value
	return nil
}

func isType(s string) bool {
	for _, t := range Types {
		if s == t {
			return true
		}
	}
	return false
}

func twice(name string) error { return &Error{name, "is given twice"} }

func (u *URI) setSlotID(value string) error {
	if u.SlotID != nil {
		return twice("slot-id")
	}
	if !digits(value) {
		return &Error{"slot-id", "is no decimal number"}
	}
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return &Error{"slot-id", "is too large"}
	}
	u.SlotID = &n
	return nil
}

func (u *URI) setVersion(value string) error {
	if u.LibraryVersion != nil {
		return twice("library-version")
	}
	major, minor, dot := strings.Cut(value, ".")
	if !dot {
		minor = "0"
	}
	if !digits(major) || !digits(minor) {
		return &Error{"library-version", "is no version"}
	}
	a, err1 := strconv.ParseUint(major, 10, 8)
	b, err2 := strconv.ParseUint(minor, 10, 8)
	if err1 != nil || err2 != nil {
		return &Error{"library-version", "has a part over 255"}
	}
	u.LibraryVersion = &Version{byte(a), byte(b)}
	return nil
}

func digits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}
