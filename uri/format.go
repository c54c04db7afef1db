package uri

import (
	"fmt"
	"strconv"
	"strings"
)

// String writes the URI, with a PIN in it if it has one; see Redacted.
func (u *URI) String() string { return u.format(true) }

// Redacted writes the URI for people and logs: a PIN is left out.
func (u *URI) Redacted() string { return u.format(false) }

// Format keeps PINs out of what fmt prints of a URI.
func (u *URI) Format(f fmt.State, _ rune) { fmt.Fprint(f, u.Redacted()) }

func (u *URI) format(showPIN bool) string {
	var path, query []string
	for _, t := range pathTexts {
		if v := *t.field(u); v != nil {
			path = append(path, t.name+"="+encode(*v, pathChars))
		}
	}
	if u.HasID {
		path = append(path, "id="+encodeAll(u.ID))
	}
	if u.SlotID != nil {
		path = append(path, "slot-id="+strconv.FormatUint(*u.SlotID, 10))
	}
	if v := u.LibraryVersion; v != nil {
		path = append(path, fmt.Sprintf("library-version=%d.%d", v.Major, v.Minor))
	}
	for _, a := range u.VendorPath {
		path = append(path, a.format(showPIN, pathChars))
	}
	for _, t := range queryTexts {
		if v := *t.field(u); v != nil {
			query = append(query, Attribute{t.name, *v}.format(showPIN, queryChars))
		}
	}
	for _, a := range u.VendorQuery {
		query = append(query, a.format(showPIN, queryChars))
	}
	s := "pkcs11:" + strings.Join(path, ";")
	if len(query) > 0 {
		s += "?" + strings.Join(query, "&")
	}
	return s
}

// format writes an attribute. What is spelt like a PIN is taken for one, also
// in letters of the wrong case.
func (a Attribute) format(showPIN bool, plain string) string {
	if !showPIN && strings.EqualFold(a.Name, "pin-value") {
		return a.Name + "=..."
	}
	return a.Name + "=" + encode(a.Value, plain)
}

func encode(s, plain string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if alphanumeric(c) || strings.IndexByte(plain, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// encodeAll encodes every byte, as RFC 7512 advises for id.
func encodeAll(v []byte) string {
	var b strings.Builder
	for _, c := range v {
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}
