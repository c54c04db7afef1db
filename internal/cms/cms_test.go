package cms

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

var (
	signed  = []byte("what was signed")
	oidData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".der"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func parse(t testing.TB, der []byte) *SignedData {
	t.Helper()
	sd, err := Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	return sd
}

func TestSignaturesOfAnotherProgram(t *testing.T) {
	for _, c := range []struct {
		name     string
		hash     crypto.Hash
		signers  int
		attached bool
	}{
		{"rsa", crypto.SHA256, 1, false},
		{"rsa-sha1", crypto.SHA1, 1, false},
		{"rsa-sha512", crypto.SHA512, 1, false},
		{"pss", crypto.SHA256, 1, false},
		{"pss-sha384-salt20", crypto.SHA384, 1, false},
		{"p256", crypto.SHA256, 1, false},
		{"p384", crypto.SHA384, 1, false},
		{"keyid", crypto.SHA256, 1, false},
		{"noattr", crypto.SHA256, 1, false},
		{"attached", crypto.SHA256, 1, true},
		{"two", crypto.SHA256, 2, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			sd := parse(t, read(t, c.name))
			if len(sd.Signers) != c.signers || !sd.ContentType.Equal(oidData) {
				t.Fatalf("%d signers of %v", len(sd.Signers), sd.ContentType)
			}
			if c.attached != bytes.Equal(sd.Content, signed) || !c.attached && sd.Content != nil {
				t.Errorf("content %q", sd.Content)
			}
			for _, s := range sd.Signers {
				cert := s.Certificate(sd.Certificates)
				if cert == nil {
					t.Fatal("the signer's certificate is not found")
				}
				if s.Hash() != c.hash {
					t.Errorf("hash %v", s.Hash())
				}
				if err := s.Verify(cert, oidData, signed); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestSignerWithoutItsCertificate(t *testing.T) {
	bare, with := parse(t, read(t, "nocerts")), parse(t, read(t, "rsa"))
	if len(bare.Certificates) != 0 || bare.Signers[0].Certificate(nil) != nil {
		t.Error("a certificate out of nowhere")
	}
	cert := bare.Signers[0].Certificate(with.Certificates)
	if cert == nil {
		t.Fatal("the certificate is not found elsewhere")
	}
	if err := bare.Signers[0].Verify(cert, oidData, signed); err != nil {
		t.Error(err)
	}
}

func TestWhatWasNotSignedDoesNotPass(t *testing.T) {
	for _, name := range []string{"rsa", "pss", "p256", "noattr"} {
		t.Run(name, func(t *testing.T) {
			verify := func(change func(s *Signer), kind asn1.ObjectIdentifier, content []byte) error {
				sd := parse(t, read(t, name))
				cert := sd.Signers[0].Certificate(sd.Certificates)
				change(sd.Signers[0])
				return sd.Signers[0].Verify(cert, kind, content)
			}
			same := func(*Signer) {}
			other := verify(same, oidData, []byte("what was sighed"))
			if !errors.Is(other, ErrContent) && !(name == "noattr" && errors.Is(other, ErrSignature)) {
				t.Errorf("another content: %v", other)
			}
			if err := verify(func(s *Signer) { s.value[9] ^= 1 }, oidData, signed); !errors.Is(err, ErrSignature) {
				t.Errorf("another signature: %v", err)
			}
			if name == "noattr" {
				return
			}
			if err := verify(same, oidSignedData, signed); !errors.Is(err, ErrContent) {
				t.Errorf("another type: %v", err)
			}
			if err := verify(func(s *Signer) { s.attrs[len(s.attrs)-1] ^= 1 }, oidData, signed); !errors.Is(err, ErrSignature) {
				t.Errorf("other attributes: %v", err)
			}
			if err := verify(func(s *Signer) { delete(s.byType, oidMessageDigest.String()) }, oidData, signed); !errors.Is(err, ErrForm) {
				t.Errorf("no digest: %v", err)
			}
			if err := verify(func(s *Signer) { s.repeated = true }, oidData, signed); !errors.Is(err, ErrForm) {
				t.Errorf("two digests: %v", err)
			}
		})
	}
}

func TestUnknownAlgorithmsAreToldFromBadSignatures(t *testing.T) {
	for name, change := range map[string]func(s *Signer){
		"digest":    func(s *Signer) { s.digest.Algorithm = oidData },
		"signature": func(s *Signer) { s.method.Algorithm = oidData },
	} {
		sd := parse(t, read(t, "rsa"))
		change(sd.Signers[0])
		if err := sd.Signers[0].Verify(sd.Certificates[0], oidData, signed); !errors.Is(err, ErrAlgorithm) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A key of one kind makes no signature of another.
func TestSignatureOfAnotherKindDoesNotPass(t *testing.T) {
	rsa, ec := parse(t, read(t, "rsa")), parse(t, read(t, "p256"))
	if err := rsa.Signers[0].Verify(ec.Certificates[0], oidData, signed); !errors.Is(err, ErrSignature) {
		t.Error(err)
	}
	if err := ec.Signers[0].Verify(rsa.Certificates[0], oidData, signed); !errors.Is(err, ErrSignature) {
		t.Error(err)
	}
}

func TestOtherFormsAreRefused(t *testing.T) {
	good := read(t, "rsa")
	for name, der := range map[string][]byte{
		"nothing":        nil,
		"cut off":        good[:len(good)-1],
		"trailing bytes": append(bytes.Clone(good), 0),
		"other content":  bytes.Replace(good, good[4:15], append(bytes.Clone(good[4:14]), 3), 1),
		"not DER":        {0x30, 0x80, 0x06, 0x09, 0x00, 0x00},
	} {
		if _, err := Parse(der); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.der")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		sd, err := Parse(der)
		if err != nil {
			return
		}
		for _, s := range sd.Signers {
			s.Octets(oidMessageDigest)
			if cert := s.Certificate(sd.Certificates); cert != nil {
				s.Verify(cert, sd.ContentType, signed)
			}
		}
	})
}
