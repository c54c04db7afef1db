package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-cryptoki/cryptoki/internal/spec"
)

// A kind is how the values of an attribute are encoded, and the Go type that
// callers see.
type kind struct{ name, goType string }

// kinds maps the column data_type.
var kinds = map[string]kind{
	"bool":             {"KindBool", "bool"},
	"ulong":            {"KindUlong", "uint64"},
	"flags":            {"KindUlong", "uint64"},
	"mechanism":        {"KindUlong", "mechanism.Type"},
	"bytes":            {"KindBytes", "[]byte"},
	"char16":           {"KindBytes", "[]byte"},
	"utf8_string":      {"KindString", "string"},
	"big_integer":      {"KindBigInteger", "*big.Int"},
	"date":             {"KindDate", "Date"},
	"ulong_array":      {"KindUlongArray", "[]uint64"},
	"mechanism_array":  {"KindUlongArray", "[]mechanism.Type"},
	"attribute_array":  {"KindTemplate", "Template"},
	"version(2 bytes)": {"KindVersion", "Version"},
}

// numberTypes maps the column spec_type of numbers.
var numberTypes = map[string]string{
	"CK_OBJECT_CLASS":               "Class",
	"CK_KEY_TYPE":                   "KeyType",
	"CK_CERTIFICATE_TYPE":           "CertificateType",
	"CK_HW_FEATURE_TYPE":            "HWFeatureType",
	"CK_PROFILE_ID":                 "ProfileID",
	"CK_TRUST":                      "Trust",
	"CKA_CERTIFICATE_CATEGORY":      "CertificateCategory",
	"CK_JAVA_MIDP_SECURITY_DOMAIN":  "SecurityDomain",
	"CK_VALIDATION_TYPE":            "ValidationType",
	"CK_VALIDATION_AUTHORITY_TYPE":  "ValidationAuthority",
	"CK_ML_DSA_PARAMETER_SET_TYPE":  "ParameterSet",
	"CK_ML_KEM_PARAMETER_SET_TYPE":  "ParameterSet",
	"CK_SLH_DSA_PARAMETER_SET_TYPE": "ParameterSet",
	"CK_XMSS_PARAMETER_SET_TYPE":    "ParameterSet",
	"CK_XMSSMT_PARAMETER_SET_TYPE":  "ParameterSet",
}

// unlisted has the kinds of attributes that attributes.tsv leaves out.
var unlisted = map[string]kind{
	"CKA_SECONDARY_AUTH": kinds["bool"],
}

func kindOf(row map[string]string) (kind, error) {
	k, ok := kinds[row["data_type"]]
	if !ok {
		return kind{}, fmt.Errorf("%s has the unknown type %s", row["attribute"], row["data_type"])
	}
	if t, ok := numberTypes[row["spec_type"]]; ok {
		k.goType = t
	}
	return k, nil
}

// attributeKinds returns the one kind of each attribute. An attribute that is
// one thing in one class and another in another is bytes.
func attributeKinds() (map[string]kind, map[string]bool, error) {
	rows, err := spec.Rows("attributes.tsv")
	if err != nil {
		return nil, nil, err
	}
	found, secret := maps.Clone(unlisted), map[string]bool{}
	for _, row := range rows {
		name := row["attribute"]
		k, err := kindOf(row)
		if err != nil {
			return nil, nil, err
		}
		if old, ok := found[name]; ok && old != k {
			k = kinds["bytes"]
		}
		found[name] = k
		secret[name] = secret[name] || row["hidden_if_sensitive_or_unextractable"] == "1"
	}
	return found, secret, nil
}

func makeAttributes(out *bytes.Buffer) error {
	byName, secret, err := attributeKinds()
	if err != nil {
		return err
	}
	found, err := constants("attribute")
	if err != nil {
		return err
	}
	fmt.Fprint(out, "import (\n\"math/big\"\n\n\"github.com/go-cryptoki/cryptoki/mechanism\"\n)\n\n")
	fmt.Fprint(out, "// TypeVendorDefined is the first attribute type that the standard leaves to\n// makers of tokens, CKA_VENDOR_DEFINED.\nconst TypeVendorDefined Type = 0x80000000\n\n")
	fmt.Fprint(out, "// The attributes of PKCS #11 v3.2, with the Go types of their values.\nvar (\n")
	taken, table := namer{}, bytes.Buffer{}
	for _, c := range found {
		k, ok := byName[c.name]
		switch {
		case c.alias != "" || c.name == "CKA_VENDOR_DEFINED":
			continue
		case !ok:
			return fmt.Errorf("the type of %s is not known", c.name)
		}
		name, err := taken.name("Attr", c.name, "CKA_")
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s = Attr[%s]{%#08x} // %s\n", name, k.goType, c.value, c.name)
		fmt.Fprintf(&table, "{%#08x, %q, %s, %t},\n", c.value, c.name, k.name, secret[c.name])
	}
	fmt.Fprint(out, ")\n\n// attributes is sorted by type.\nvar attributes = [...]attributeRow{\n")
	out.Write(table.Bytes())
	fmt.Fprint(out, "}\n\n// aliases has the other names of attributes.\nvar aliases = [...]attributeRow{\n")
	for _, c := range found {
		if c.alias != "" {
			fmt.Fprintf(out, "{%#08x, %q, %s, %t},\n", c.value, c.name, byName[c.alias].name, secret[c.alias])
		}
	}
	fmt.Fprint(out, "}\n")
	return nil
}

// footnotes maps the columns of attributes.tsv to footnotes.
var footnotes = []struct{ column, name string }{
	{"must_at_create", "MustCreate"}, {"not_at_create", "NotCreate"},
	{"must_at_generate", "MustGenerate"}, {"not_at_generate", "NotGenerate"},
	{"must_at_unwrap", "MustUnwrap"}, {"not_at_unwrap", "NotUnwrap"},
	{"hidden_if_sensitive_or_unextractable", "HiddenIfSensitive"},
	{"modifiable_setattr", "Modifiable"}, {"modifiable_copy", "Copyable"},
	{"default_token_specific", "TokenDefault"}, {"so_only_true", "SOOnlyTrue"},
	{"sticky_true", "StickyTrue"}, {"sticky_false", "StickyFalse"},
	{"generated_by_module_keypair", "ModuleMade"},
}

// scopes has the object classes of attributes.tsv that are no class, from the
// widest.
var scopes = map[string]string{"ALL": "scopeAll", "STORAGE": "scopeStorage", "KEY": "scopeKey"}

func makeRules(out *bytes.Buffer) error {
	rows, err := spec.Rows("attributes.tsv")
	if err != nil {
		return err
	}
	numbers, err := allNumbers()
	if err != nil {
		return err
	}
	var lines []ruleLine
	for _, row := range rows {
		line, err := ruleOf(row, numbers)
		if err != nil {
			return err
		}
		lines = append(lines, line)
	}
	slices.SortStableFunc(lines, func(a, b ruleLine) int { return int(a.attribute) - int(b.attribute) })
	fmt.Fprint(out, "// ruleTable is sorted by attribute; the rows of one attribute go from the\n// widest scope to the narrowest.\nvar ruleTable = [...]ruleRow{\n")
	for _, line := range lines {
		fmt.Fprint(out, line.text)
	}
	fmt.Fprint(out, "}\n")
	return nil
}

type ruleLine struct {
	attribute uint64
	text      string
}

func ruleOf(row map[string]string, numbers map[string]uint64) (ruleLine, error) {
	attribute, ok := numbers[row["attribute"]]
	if !ok {
		return ruleLine{}, fmt.Errorf("%s is no attribute", row["attribute"])
	}
	k, err := kindOf(row)
	if err != nil {
		return ruleLine{}, err
	}
	scope, class, sub := "scopeClass", row["object_class"], row["key_type"]
	if s, ok := scopes[class]; ok {
		scope = s
	}
	if sub != "-" {
		scope = "scopeSub"
	}
	for _, name := range []string{class, sub} {
		if _, ok := numbers[name]; !ok && scopes[name] == "" && name != "-" {
			return ruleLine{}, fmt.Errorf("%s: %s is not known", row["attribute"], name)
		}
	}
	notes := []string{}
	for _, f := range footnotes {
		if row[f.column] == "1" {
			notes = append(notes, f.name)
		}
	}
	if len(notes) == 0 {
		notes = []string{"0"}
	}
	text := fmt.Sprintf("{%s, %#x, %#x, Rule{%#08x, %s, %s}}, // %s %s %s\n", scope, numbers[class], numbers[sub],
		attribute, k.name, strings.Join(notes, "|"), row["attribute"], class, strings.Trim(sub, "-"))
	return ruleLine{attribute, strings.TrimRight(text, " \n") + "\n"}, nil
}

func allNumbers() (map[string]uint64, error) {
	found, err := constants("attribute", "object_class", "key_type", "certificate_type", "hw_feature", "mechanism")
	if err != nil {
		return nil, err
	}
	numbers := map[string]uint64{}
	for _, c := range found {
		numbers[c.name] = c.value
	}
	return numbers, nil
}
