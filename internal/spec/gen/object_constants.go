package main

import (
	"bytes"
	"fmt"
	"strings"
)

// A group is one kind of numbers that an attribute may hold, and the Go type
// that stands for it.
type group struct {
	doc, typ, prefix  string
	kind, with, strip string // rows of this kind whose name begins so; what the Go name leaves out
}

var groups = []group{
	{"The object classes, PKCS #11 v3.2 §4.1.1.", "Class", "Class", "object_class", "CKO_", "CKO_"},
	{"The key types, PKCS #11 v3.2 §4.7.", "KeyType", "Key", "key_type", "CKK_", "CKK_"},
	{"The certificate types, PKCS #11 v3.2 §4.6.", "CertificateType", "Certificate", "certificate_type", "CKC_", "CKC_"},
	{"The hardware feature types, PKCS #11 v3.2 §4.3.", "HWFeatureType", "HWFeature", "hw_feature", "CKH_", "CKH_"},
	{"The profiles, PKCS #11 v3.2 §4.13.", "ProfileID", "Profile", "profile_id", "CKP_", "CKP_"},
	{"The parameter sets of ML-DSA, ML-KEM and SLH-DSA keys; each family counts from 1.", "ParameterSet", "ParameterSet", "parameter_set", "CKP_", "CKP_"},
	{"The trust in a certificate for one purpose.", "Trust", "Trust", "trust", "CKT_", "CKT_"},
	{"The categories of certificates.", "CertificateCategory", "CertificateCategory", "misc", "CK_CERTIFICATE_CATEGORY_", "CK_CERTIFICATE_CATEGORY_"},
	{"The Java MIDP security domains.", "SecurityDomain", "SecurityDomain", "misc", "CK_SECURITY_DOMAIN_", "CK_SECURITY_DOMAIN_"},
	{"What was validated.", "ValidationType", "ValidationType", "validation", "CKV_TYPE_", "CKV_TYPE_"},
	{"Who validated.", "ValidationAuthority", "ValidationAuthority", "validation", "CKV_AUTHORITY_TYPE_", "CKV_AUTHORITY_TYPE_"},
}

func (g group) members() ([]constant, error) {
	found, err := constants(g.kind)
	if err != nil {
		return nil, err
	}
	var kept []constant
	for _, c := range found {
		if strings.HasPrefix(c.name, g.with) {
			kept = append(kept, c)
		}
	}
	return kept, nil
}

func makeObjectConstants(out *bytes.Buffer) error {
	taken := namer{}
	for _, g := range groups {
		members, err := g.members()
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "// %s\nconst (\n", g.doc)
		for _, c := range members {
			if c.alias != "" {
				continue
			}
			short := strings.TrimPrefix(c.name, g.strip)
			if g.typ == "Trust" {
				short = strings.TrimPrefix(short, "TRUST_")
			}
			name, err := taken.name(g.prefix, short, "")
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%s %s = %#08x // %s\n", name, g.typ, c.value, c.name)
		}
		fmt.Fprint(out, ")\n\n")
		if g.typ == "ParameterSet" { // one number has several names
			continue
		}
		fmt.Fprintf(out, "// %sNames is sorted by number.\nvar %sNames = [...]numberName{\n", lower(g.typ), lower(g.typ))
		for _, c := range members {
			fmt.Fprintf(out, "{%#08x, %q},\n", c.value, c.name)
		}
		fmt.Fprint(out, "}\n\n")
	}
	return nil
}

// lower turns KeyType into keyType and HWFeatureType into hwFeatureType.
func lower(name string) string {
	if strings.HasPrefix(name, "HW") {
		return "hw" + name[2:]
	}
	return strings.ToLower(name[:1]) + name[1:]
}
