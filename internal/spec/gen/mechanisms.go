package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-cryptoki/cryptoki/internal/spec"
)

func makeMechanisms(out *bytes.Buffer) error {
	types, err := constants("mechanism")
	if err != nil {
		return err
	}
	taken := namer{}
	fmt.Fprint(out, "// The mechanism types of PKCS #11 v3.2 §6.\n")
	if err := writeConstants(out, taken, types, "Type", "Type", "CKM_"); err != nil {
		return err
	}
	fmt.Fprint(out, "// typeNames is sorted by type; the names that others stand for come after.\nvar typeNames = [...]typeName{\n")
	for _, c := range types {
		fmt.Fprintf(out, "{%#08x, %q},\n", c.value, c.name)
	}
	fmt.Fprint(out, "}\n\n")
	if err := writeStandard(out); err != nil {
		return err
	}
	for _, group := range []struct{ kind, doc, typ, prefix, cut string }{
		{"flag:mechanism_info.flags", "// The flags of CK_MECHANISM_INFO.", "Flags", "Flag", "CKF_"},
		{"flag:mechanism_info.flags(ec)", "// The flags of CK_MECHANISM_INFO that speak of elliptic curves.", "Flags", "Flag", "CKF_"},
		{"kdf", "// The key derivation functions that follow a key agreement.", "KDF", "KDF", "CKD_"},
		{"mgf", "// The mask generation functions of RSA PSS and OAEP.", "MGF", "", "CKG_"},
	} {
		found, err := constants(group.kind)
		if err != nil {
			return err
		}
		fmt.Fprintln(out, group.doc)
		if err := writeConstants(out, taken, only(found, group.kind), group.typ, group.prefix, group.cut); err != nil {
			return err
		}
	}
	return nil
}

// only leaves out the names that stand for others, and the CKG_ names that
// are not mask generation functions.
func only(found []constant, kind string) []constant {
	var kept []constant
	for _, c := range found {
		if c.alias == "" && (kind != "mgf" || strings.HasPrefix(c.name, "CKG_MGF1_")) {
			kept = append(kept, c)
		}
	}
	return kept
}

func writeConstants(out *bytes.Buffer, taken namer, found []constant, typ, prefix, cut string) error {
	fmt.Fprint(out, "const (\n")
	for _, c := range found {
		if c.alias != "" {
			continue
		}
		trimmed := c.name
		if typ == "KDF" {
			trimmed = strings.TrimSuffix(strings.Replace(c.name, "_KDF_", "_", 1), "_KDF")
		}
		name, err := taken.name(prefix, trimmed, cut)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s %s = %#08x // %s\n", name, typ, c.value, c.name)
	}
	fmt.Fprint(out, ")\n\n")
	return nil
}

// functionFlags maps the columns of mechanisms.tsv to flags.
var functionFlags = []struct{ column, flag string }{
	{"encrypt", "FlagEncrypt"}, {"decrypt", "FlagDecrypt"}, {"sign", "FlagSign"}, {"verify", "FlagVerify"},
	{"sign_recover", "FlagSignRecover"}, {"verify_recover", "FlagVerifyRecover"}, {"digest", "FlagDigest"},
	{"generate", "FlagGenerate"}, {"generate_key_pair", "FlagGenerateKeyPair"}, {"wrap", "FlagWrap"},
	{"unwrap", "FlagUnwrap"}, {"derive", "FlagDerive"}, {"encapsulate", "FlagEncapsulate"}, {"decapsulate", "FlagDecapsulate"},
}

func writeStandard(out *bytes.Buffer) error {
	rows, err := spec.Rows("mechanisms.tsv")
	if err != nil {
		return err
	}
	found, err := constants("mechanism")
	if err != nil {
		return err
	}
	byName := map[string]map[string]string{}
	for _, row := range rows {
		byName[row["mechanism"]] = row
	}
	fmt.Fprint(out, "// standard is sorted by type.\nvar standard = [...]standardRow{\n")
	for _, c := range found {
		row, ok := byName[c.name]
		if !ok || c.alias != "" {
			continue
		}
		if v, err := strconv.ParseUint(row["value"], 0, 64); err != nil || v != c.value {
			return fmt.Errorf("%s: mechanisms.tsv says %s, constants.tsv %#x", c.name, row["value"], c.value)
		}
		var flags []string
		for _, f := range functionFlags {
			if row[f.column] == "1" {
				flags = append(flags, f.flag)
			}
		}
		if len(flags) == 0 {
			flags = []string{"0"}
		}
		fmt.Fprintf(out, "{%#08x, %s, %s}, // %s\n", c.value, unit(row["key_size_unit"]), strings.Join(flags, "|"), c.name)
	}
	fmt.Fprint(out, "}\n\n")
	return nil
}

func unit(cell string) string {
	switch {
	case strings.HasPrefix(strings.ToLower(cell), "bits"):
		return "Bits"
	case strings.HasPrefix(cell, "bytes"), strings.HasPrefix(cell, "48 to 48"):
		return "Bytes"
	}
	return "NoUnit"
}
