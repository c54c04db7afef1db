package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"os"
	"strings"

	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/uri"
)

// export writes a certificate or a public key.
func export(ctx context.Context, e *env, args []string) error {
	f := e.flags("export")
	der := f.Bool("der", false, "")
	out := f.String("out", "", "")
	rest, err := parseAll(f, args, 1, 1)
	if err != nil {
		return err
	}
	return e.withSession(ctx, rest[0], nil, nil, func(s *session.Session, u *uri.URI) error {
		o, err := one(ctx, s, u, object.ClassCertificate, object.ClassPublicKey)
		if err != nil {
			return err
		}
		block, err := encode(ctx, s, o)
		if err != nil {
			return err
		}
		return e.writeBlock(block, *der, *out)
	})
}

// encode reads a certificate or a public key.
func encode(ctx context.Context, s *session.Session, o *object.Object) (*pem.Block, error) {
	if o.Class() == object.ClassCertificate {
		b, err := object.Get(ctx, o, object.AttrValue)
		return &pem.Block{Type: "CERTIFICATE", Bytes: b}, err
	}
	key, err := s.PublicKey(ctx, o)
	if err != nil {
		return nil, err
	}
	b, err := x509.MarshalPKIXPublicKey(key)
	return &pem.Block{Type: "PUBLIC KEY", Bytes: b}, err
}

// writeBlock writes PEM or DER to a file or the standard output.
func (e *env) writeBlock(block *pem.Block, der bool, out string) error {
	b := block.Bytes
	if !der {
		b = pem.EncodeToMemory(block)
	}
	if out == "" || out == "-" {
		if e.json && !der {
			return e.print(map[string]string{"pem": string(b)}, "")
		}
		_, err := e.out.Write(b)
		return err
	}
	return os.WriteFile(out, b, 0o644)
}

// csr makes a certificate request.
func csr(ctx context.Context, e *env, args []string) error {
	f := e.flags("csr")
	subject := f.String("subject", "", "")
	dns := f.String("dns", "", "")
	der := f.Bool("der", false, "")
	out := f.String("out", "", "")
	pin := f.String("pin", "", "")
	rest, err := parseAll(f, args, 1, 1)
	if err != nil {
		return err
	}
	name, err := parseSubject(*subject)
	if err != nil {
		return err
	}
	template := &x509.CertificateRequest{Subject: name}
	if *dns != "" {
		template.DNSNames = strings.Split(*dns, ",")
	}
	return e.withKey(ctx, rest[0], *pin, func(k session.Key) error {
		b, err := x509.CreateCertificateRequest(rand.Reader, template, crypto.Signer(k))
		if err != nil {
			return err
		}
		return e.writeBlock(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: b}, *der, *out)
	})
}

// parseSubject reads a name as CN=host.example,O=Example; a backslash takes the
// meaning from what follows.
func parseSubject(s string) (name pkix.Name, err error) {
	if s == "" {
		return name, usagef("csr needs --subject, as CN=host.example,O=Example")
	}
	for _, part := range splitEscaped(s) {
		key, value, ok := strings.Cut(part, "=")
		if !ok || value == "" {
			return name, usagef("--subject: %q is not NAME=VALUE", part)
		}
		switch strings.ToUpper(strings.TrimSpace(key)) {
		case "CN":
			name.CommonName = value
		case "O":
			name.Organization = append(name.Organization, value)
		case "OU":
			name.OrganizationalUnit = append(name.OrganizationalUnit, value)
		case "C":
			name.Country = append(name.Country, value)
		case "ST":
			name.Province = append(name.Province, value)
		case "L":
			name.Locality = append(name.Locality, value)
		case "SERIALNUMBER":
			name.SerialNumber = value
		default:
			return name, usagef("--subject: %q is not one of CN, O, OU, C, ST, L, SERIALNUMBER", key)
		}
	}
	return name, nil
}

func splitEscaped(s string) (parts []string) {
	var part strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			part.WriteByte(s[i])
		case s[i] == ',':
			parts = append(parts, part.String())
			part.Reset()
		default:
			part.WriteByte(s[i])
		}
	}
	return append(parts, part.String())
}
