package uri

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rows returns the rows of a type of the table.
func rows(t testing.TB, kind string) (list []map[string]string) {
	t.Helper()
	b, err := os.ReadFile("testdata/uri.tsv")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	head := strings.Split(lines[0], "\t")
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, cell := range strings.Split(line, "\t") {
			row[head[i]] = cell
		}
		if row["row_type"] == kind {
			list = append(list, row)
		}
	}
	if len(list) == 0 {
		t.Fatalf("no rows of type %s", kind)
	}
	return list
}

type expectation struct {
	Valid       bool
	Path, Query map[string]any
}

func TestExamplesOfTheTable(t *testing.T) {
	for _, row := range rows(t, "example") {
		s := row["name_or_uri"]
		t.Run(s, func(t *testing.T) {
			var want expectation
			if err := json.Unmarshal([]byte(row["matching_or_expected"]), &want); err != nil {
				t.Fatal(err)
			}
			u, err := Parse(s)
			if !want.Valid {
				if !errors.Is(err, ErrSyntax) {
					t.Errorf("%v, %v", u, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			path, query := shown(u)
			if diff := cmp.Diff(normal(want.Path), path); diff != "" {
				t.Errorf("path: %s", diff)
			}
			if diff := cmp.Diff(normal(want.Query), query); diff != "" {
				t.Errorf("query: %s", diff)
			}
			again, err := Parse(u.String())
			if err != nil || !again.Equal(u) || again.String() != u.String() {
				t.Errorf("written %s, read %v, %v", u.String(), again, err)
			}
		})
	}
}

// shown is a URI as the table writes it.
func shown(u *URI) (path, query map[string]string) {
	path, query = map[string]string{}, map[string]string{}
	for _, a := range pathTexts {
		if v := *a.field(u); v != nil {
			path[a.name] = *v
		}
	}
	if u.HasID {
		path["id"] = "hex:" + hex.EncodeToString(u.ID)
	}
	if u.SlotID != nil {
		path["slot-id"] = fmt.Sprint(*u.SlotID)
	}
	if v := u.LibraryVersion; v != nil {
		path["library-version"] = fmt.Sprintf("%d.%d", v.Major, v.Minor)
	}
	for _, a := range u.VendorPath {
		path[a.Name] = a.Value
	}
	for _, a := range queryTexts {
		if v := *a.field(u); v != nil {
			query[a.name] = *v
		}
	}
	for _, a := range u.VendorQuery {
		query[a.Name] += "[" + a.Value + "]"
	}
	return path, query
}

func normal(m map[string]any) map[string]string {
	out := map[string]string{}
	for k, v := range m {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				out[k] += fmt.Sprintf("[%v]", x)
			}
		default:
			out[k] = fmt.Sprint(v)
		}
	}
	return out
}

// Every attribute of the table is read, written, and kept from being given
// twice where that is forbidden.
func TestAttributesOfTheTable(t *testing.T) {
	values := map[string]string{"type": "cert", "slot-id": "7", "library-version": "2.40"}
	for _, row := range rows(t, "attribute") {
		name, separator, sign := row["name_or_uri"], ";", ""
		if row["component"] == "query" {
			separator, sign = "&", "?"
		}
		vendor := strings.HasPrefix(name, "(")
		if vendor {
			name = "x-vendor"
		}
		value, ok := values[name]
		if !ok {
			value = "a%20b"
		}
		one := name + "=" + value
		u, err := Parse("pkcs11:" + sign + one)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if u.String() != "pkcs11:"+sign+one && name != "id" {
			t.Errorf("%s: written as %s", one, u.String())
		}
		_, err = Parse("pkcs11:" + sign + one + separator + one)
		if twice := vendor && sign == "?"; (err == nil) != twice {
			t.Errorf("%s twice: %v", name, err)
		}
	}
}

func TestMatching(t *testing.T) {
	o := Object{
		Token: Token{
			Slot:  Slot{Library: Library{"go-cryptoki", "cryptoki", Version{1, 0}}, ID: 7, Description: "Reader A", Manufacturer: "M"},
			Label: "demo", Manufacturer: "maker", Model: "PKCS#15", Serial: "0123",
		},
		Label: "signing", ID: []byte{0, 1}, Type: "private",
	}
	for s, want := range map[string]bool{
		"pkcs11:":                 true,
		"pkcs11:?module-path=/x":  true,
		"pkcs11:token=demo":       true,
		"pkcs11:token=demo%20%20": true, // trailing blanks of the fixed field
		"pkcs11:token=Demo":       false,
		"pkcs11:token=":           false,
		"pkcs11:object=signing;type=private;id=%00%01":  true,
		"pkcs11:object=signing%20":                      false, // a label has none
		"pkcs11:id=%00":                                 false,
		"pkcs11:id=":                                    false,
		"pkcs11:type=cert":                              false,
		"pkcs11:slot-id=7;slot-description=Reader%20A":  true,
		"pkcs11:slot-id=8":                              false,
		"pkcs11:library-version=1":                      true,
		"pkcs11:library-version=1.1":                    false,
		"pkcs11:model=PKCS%2315;serial=0123;token=demo": true,
		"pkcs11:x-shelf=3":                              false,
		"pkcs11:token=demo?x-tag=3":                     true,
	} {
		u, err := Parse(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if got := u.Match(o); got != want {
			t.Errorf("%s: %v", s, got)
		}
	}
}

func TestComparison(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"pkcs11:token=a;object=b", "PKCS11:object=b;token=%61", true},
		{"pkcs11:library-version=3", "pkcs11:library-version=3.0", true},
		{"pkcs11:id=%fe", "pkcs11:id=%FE", true},
		{"pkcs11:id=", "pkcs11:", false},
		{"pkcs11:token=a", "pkcs11:token=a?pin-value=1", true},
		{"pkcs11:x-a=1;x-b=2", "pkcs11:x-b=2;x-a=1", true},
		{"pkcs11:x-a=1", "pkcs11:x-a=2", false},
	} {
		a, err1 := Parse(c.a)
		b, err2 := Parse(c.b)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if a.Equal(b) != c.want || b.Equal(a) != c.want {
			t.Errorf("%s and %s: not %v", c.a, c.b, c.want)
		}
	}
}

func TestPINIsNotPrinted(t *testing.T) {
	u, err := Parse("pkcs11:token=a?pin-value=se%3Bcret")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{u.Redacted(), fmt.Sprint(u), fmt.Sprintf("%v %+v %#v %s %q", u, u, u, u, u)} {
		if strings.Contains(s, "secret") || strings.Contains(s, "cret") {
			t.Errorf("printed %s", s)
		}
	}
	if !strings.Contains(u.String(), "pin-value=se%3Bcret") {
		t.Errorf("written %s", u.String())
	}
	if _, err := Parse("pkcs11:?pin-value=secret;&x"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
}

// TestPINsInTheWrongPlaceAreNotPrinted has what people write who know half of
// the syntax.
func TestPINsInTheWrongPlaceAreNotPrinted(t *testing.T) {
	for s, refused := range map[string]bool{
		"pkcs11:object=a;pin-value=secret":    true,
		"pkcs11:pin-value=secret":             true,
		"pkcs11:pin-source=secret":            true,
		"pkcs11:a?pin-value=x&sec%20ret=b":    true,
		"pkcs11:a=b?pin-value=x&secret+=b":    true,
		"pkcs11:object=a;PIN-VALUE=secret":    false,
		"pkcs11:object=a?Pin-Value=secret":    false,
		"pkcs11:object=a?pin-value=secret":    false,
		"pkcs11:object=a?x=1&pin-value=secre": false,
	} {
		u, err := Parse(s)
		if (err != nil) != refused {
			t.Errorf("%s: %v", s, err)
		}
		if printed := fmt.Sprint(u, err); strings.Contains(printed, "sec") {
			t.Errorf("%s: printed %s", s, printed)
		}
	}
}

// TestAttributesOnTheWrongSideAreNoVendors refuses what would otherwise mean
// everything.
func TestAttributesOnTheWrongSideAreNoVendors(t *testing.T) {
	for _, name := range []string{"token", "object", "id", "type", "serial", "slot-id", "library-version", "model"} {
		if u, err := Parse("pkcs11:?" + name + "=1"); err == nil {
			t.Errorf("%s in the query: %v", name, u)
		}
	}
	for _, name := range []string{"pin-source", "pin-value", "module-name", "module-path"} {
		if u, err := Parse("pkcs11:" + name + "=1"); err == nil {
			t.Errorf("%s in the path: %v", name, u)
		}
	}
}

// What p11-kit takes is taken, as long as nothing that is written is left out.
func TestURIsThatOthersTake(t *testing.T) {
	for s, want := range map[string]string{
		"pkcs11:token=a;":                       "pkcs11:token=a",
		"pkcs11:;token=a":                       "pkcs11:token=a",
		"pkcs11:;;token=a;;object=b;;":          "pkcs11:token=a;object=b",
		"pkcs11:;":                              "pkcs11:",
		"pkcs11:?":                              "pkcs11:",
		"pkcs11:token=a;?pin-value=1":           "pkcs11:token=a?pin-value=1",
		"pkcs11:token=a?&pin-value=1&&x-y=2&":   "pkcs11:token=a?pin-value=1&x-y=2",
		"PKCS11:token=a":                        "pkcs11:token=a",
		" \t pkcs11:token=a;type=cert\r\n":      "pkcs11:token=a;type=cert",
		"pkcs11:object-type=cert":               "pkcs11:type=cert",
		"pkcs11:objecttype=private":             "pkcs11:type=private",
		"pkcs11:type=secretkey":                 "pkcs11:type=secret-key",
		"pkcs11:token=a?pinfile=/etc/pin":       "pkcs11:token=a?pin-source=/etc/pin",
		"pkcs11:token=;object=;id=;model=":      "pkcs11:token=;model=;object=;id=",
		"pkcs11:token=a;object-type=secretkey;": "pkcs11:token=a;type=secret-key",
	} {
		u, err := Parse(s)
		if err != nil {
			t.Errorf("%q: %v", s, err)
			continue
		}
		if got := u.String(); got != want {
			t.Errorf("%q is read as %s, not %s", s, got, want)
		}
	}
	for _, s := range []string{
		"pkcs11:token=a b", "pkcs11:token=a;\nobject=b", "pkcs11 :token=a", // blanks inside
		"pkcs11:token=a;token=a;", "pkcs11:type=cert;object-type=cert", // one thing twice
		"pkcs11:slot-id=", "pkcs11:library-version=", "pkcs11:type=", // nothing that there can be
		"pkcs11:;=a", "pkcs11:pinfile=/etc/pin", "pkcs11:?objecttype=cert", "pkcs11:;token", ";pkcs11:token=a", "",
	} {
		if u, err := Parse(s); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: %v, %v", s, u, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, row := range rows(f, "example") {
		f.Add(row["name_or_uri"])
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := Parse(s)
		if err != nil {
			if !errors.Is(err, ErrSyntax) {
				t.Errorf("%v", err)
			}
			return
		}
		again, err := Parse(u.String())
		if err != nil || !again.Equal(u) {
			t.Errorf("%q is written as %q: %v", s, u.String(), err)
		}
	})
}
