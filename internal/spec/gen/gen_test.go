package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGeneratedFilesAreUpToDate(t *testing.T) {
	for name := range makers {
		want, err := generate(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := os.ReadFile(filepath.Join("..", "..", "..", filepath.FromSlash(name)))
		if err != nil {
			t.Error(err)
			continue
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what gen makes; run go generate ./ckr ./mechanism ./object\n%s", name, cmp.Diff(string(want), string(got)))
		}
	}
}

func TestGoNamesFollowTheStandardsWords(t *testing.T) {
	for standard, want := range map[string]string{
		"PIN_INCORRECT":     "PINIncorrect",
		"RSA_PKCS_PSS":      "RSAPKCSPSS",
		"SHA_1":             "SHA1",
		"SHA512_256_HMAC":   "SHA512_256HMAC",
		"X_509":             "X509",
		"HW_FEATURE_TYPE":   "HWFeatureType",
		"PUBLIC_KEY_INFO":   "PublicKeyInfo",
		"PARAMETER_SET":     "ParameterSet",
		"KEY_GEN_MECHANISM": "KeyGenMechanism",
	} {
		if got := goName(standard); got != want {
			t.Errorf("%s is %s, want %s", standard, got, want)
		}
	}
}

func TestNamesDoNotCollide(t *testing.T) {
	taken := namer{}
	if _, err := taken.name("Type", "CKM_SHA_1", "CKM_"); err != nil {
		t.Fatal(err)
	}
	if _, err := taken.name("Type", "CKM_SHA1", "CKM_"); err == nil {
		t.Error("two constants got one name")
	}
}
