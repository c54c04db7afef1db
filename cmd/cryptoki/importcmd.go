package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/uri"
)

// contents is what a file holds that can be stored.
type contents struct {
	keys  []crypto.PrivateKey
	certs []*x509.Certificate
}

// importFile stores what a file holds.
func importFile(ctx context.Context, e *env, args []string) error {
	f := e.flags("import")
	label := f.String("label", "", "")
	id := f.String("id", "", "")
	password := f.String("password", "", "")
	given := f.String("pin", "", "")
	rest, err := parseAll(f, args, 1, 2)
	if err != nil {
		return err
	}
	text := uriAt(rest, 1)
	names, err := naming(*label, *id)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(rest[0])
	if err != nil {
		return err
	}
	defer clear(data)
	c, err := readContents(data, *password)
	if err != nil {
		return fmt.Errorf("%s: %w", rest[0], err)
	}
	return e.withSession(ctx, text, []session.Option{session.ReadWrite()}, given, func(s *session.Session, _ *uri.URI) error {
		out := []objectOut{}
		add := func(o *object.Object, err error) error {
			if err != nil {
				return err
			}
			d, err := collectOne(ctx, o)
			out = append(out, d)
			return err
		}
		for _, k := range c.keys {
			public, private, err := keyTemplates(k)
			if err != nil {
				return err
			}
			defer private.Clear()
			if err := add(s.Create(ctx, private.With(names...)...)); err != nil {
				return fmt.Errorf("store the private key: %w", err)
			}
			if err := add(s.Create(ctx, public.With(names...)...)); err != nil {
				return fmt.Errorf("store the public key: %w", err)
			}
		}
		for _, cert := range c.certs {
			if err := add(s.StoreCertificate(ctx, cert, names...)); err != nil {
				return fmt.Errorf("store the certificate of %v: %w", cert.Subject, err)
			}
		}
		return e.print(out, table(out))
	})
}

// readContents takes a file apart: PEM, DER or PKCS #12.
func readContents(data []byte, password string) (c contents, err error) {
	if strings.Contains(string(data), "-----BEGIN ") {
		for {
			var block *pem.Block
			if block, data = pem.Decode(data); block == nil {
				break
			}
			if strings.Contains(block.Type, "ENCRYPTED") || block.Headers["DEK-Info"] != "" {
				return c, errors.New("the private key is encrypted; put it into PKCS #12 or decrypt it first")
			}
			if err := c.der(block.Bytes); err != nil {
				return c, fmt.Errorf("%s: %w", block.Type, err)
			}
		}
	} else if c.der(data) != nil {
		key, cert, chain, err := pkcs12.DecodeChain(data, password)
		if err != nil {
			return c, fmt.Errorf("not PEM, no certificate or key in DER, and not PKCS #12 with this password: %w", err)
		}
		c.keys = append(c.keys, key)
		c.certs = append(append(c.certs, cert), chain...)
	}
	if len(c.keys)+len(c.certs) == 0 {
		return c, errors.New("there is neither a certificate nor a private key")
	}
	return c, nil
}

// der takes one certificate or private key.
func (c *contents) der(b []byte) error {
	if cert, err := x509.ParseCertificate(b); err == nil {
		c.certs = append(c.certs, cert)
		return nil
	}
	if key, err := x509.ParsePKCS8PrivateKey(b); err == nil {
		c.keys = append(c.keys, key)
		return nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(b); err == nil {
		c.keys = append(c.keys, key)
		return nil
	}
	if key, err := x509.ParseECPrivateKey(b); err == nil {
		c.keys = append(c.keys, key)
		return nil
	}
	return errors.New("neither a certificate nor a private key that is known")
}

// keyTemplates is both halves of a key as token objects.
func keyTemplates(key crypto.PrivateKey) (public, private object.Template, err error) {
	common := object.Template{object.AttrToken.Is(true)}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		common = append(common, object.AttrKeyType.Is(object.KeyRSA), object.AttrID.Is(session.KeyID(k.Public())),
			object.AttrModulus.Is(k.N))
		e := object.AttrPublicExponent.Is(bigInt(k.E))
		public = common.With(object.AttrClass.Is(object.ClassPublicKey), e, object.AttrVerify.Is(true), object.AttrEncrypt.Is(true))
		k.Precompute()
		private = common.With(object.AttrClass.Is(object.ClassPrivateKey), e, object.AttrPrivateExponent.Is(k.D),
			object.AttrPrime1.Is(k.Primes[0]), object.AttrPrime2.Is(k.Primes[1]), object.AttrExponent1.Is(k.Precomputed.Dp),
			object.AttrExponent2.Is(k.Precomputed.Dq), object.AttrCoefficient.Is(k.Precomputed.Qinv),
			object.AttrSign.Is(true), object.AttrDecrypt.Is(true), object.AttrSensitive.Is(true), object.AttrExtractable.Is(false))
		return public, private, nil
	case *ecdsa.PrivateKey:
		curve, ok := object.CurveFor(k.Curve)
		if !ok {
			break
		}
		point, err := k.PublicKey.Bytes()
		if err != nil {
			return nil, nil, err
		}
		scalar, err := k.Bytes()
		if err != nil {
			return nil, nil, err
		}
		common = append(common, object.AttrKeyType.Is(object.KeyEC), object.AttrID.Is(session.KeyID(k.Public())),
			object.AttrECParams.Is(curve.Params()))
		public = common.With(object.AttrClass.Is(object.ClassPublicKey), object.AttrECPoint.Is(object.EncodePoint(point)), object.AttrVerify.Is(true))
		private = common.With(object.AttrClass.Is(object.ClassPrivateKey), object.AttrValue.Is(scalar),
			object.AttrECPoint.Is(object.EncodePoint(point)),
			object.AttrSign.Is(true), object.AttrDerive.Is(true), object.AttrSensitive.Is(true), object.AttrExtractable.Is(false))
		return public, private, nil
	}
	return nil, nil, fmt.Errorf("keys of type %T are not stored", key)
}
