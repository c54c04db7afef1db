package main

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"os"
	"strings"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/uri"
)

func bigInt(n int) *big.Int { return big.NewInt(int64(n)) }

var hashes = map[string]crypto.Hash{
	"sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512, "sha224": crypto.SHA224,
}

func parseHash(name string) (crypto.Hash, error) {
	h, ok := hashes[strings.ReplaceAll(strings.ToLower(name), "-", "")]
	if !ok {
		return 0, usagef("there is no hash %q: sha224, sha256, sha384, sha512", name)
	}
	return h, nil
}

// scheme is how sign and verify sign.
type scheme struct {
	hash *string
	pss  *bool
}

func schemeFlags(f *flag.FlagSet) scheme {
	return scheme{f.String("hash", "sha256", ""), f.Bool("pss", false, "")}
}

// digest hashes a message for a key.
func (c scheme) digest(pub crypto.PublicKey, message []byte) ([]byte, crypto.SignerOpts, error) {
	if _, ok := pub.(ed25519.PublicKey); ok {
		return message, crypto.Hash(0), nil
	}
	hash, err := parseHash(*c.hash)
	if err != nil {
		return nil, nil, err
	}
	var opts crypto.SignerOpts = hash
	if _, ok := pub.(*rsa.PublicKey); *c.pss {
		if !ok {
			return nil, nil, usagef("--pss is for RSA keys")
		}
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	}
	h := hash.New()
	h.Write(message)
	return h.Sum(nil), opts, nil
}

// sign signs a file.
func sign(ctx context.Context, e *env, args []string) error {
	f := e.flags("sign")
	how := schemeFlags(f)
	in, out, pin := f.String("in", "", ""), f.String("out", "", ""), f.String("pin", "", "")
	rest, err := parseAll(f, args, 1, 1)
	if err != nil {
		return err
	}
	if _, err := parseHash(*how.hash); err != nil {
		return err
	}
	message, err := e.input(*in)
	if err != nil {
		return err
	}
	return e.withKey(ctx, rest[0], *pin, func(k session.Key) error {
		digest, opts, err := how.digest(k.Public(), message)
		if err != nil {
			return err
		}
		sig, err := k.Sign(rand.Reader, digest, opts)
		if err != nil {
			return err
		}
		return e.output(*out, "signature", sig)
	})
}

// publicKey finds the public key that a URI names, as it is or in a
// certificate. No PIN is needed.
func (e *env) publicKey(ctx context.Context, text string) (key crypto.PublicKey, err error) {
	err = e.withSession(ctx, text, nil, nil, func(s *session.Session, u *uri.URI) error {
		if u.Type != nil && *u.Type == "private" {
			u.Type = nil // its public half is meant
		}
		o, err := one(ctx, s, u, object.ClassPublicKey)
		if errors.Is(err, ckr.ObjectHandleInvalid) {
			if c, certErr := one(ctx, s, u, object.ClassCertificate); certErr == nil {
				der, err := object.Get(ctx, c, object.AttrValue)
				if err != nil {
					return err
				}
				cert, err := x509.ParseCertificate(der)
				if err == nil {
					key = cert.PublicKey
				}
				return err
			}
		}
		if err == nil {
			key, err = s.PublicKey(ctx, o)
		}
		return err
	})
	return key, err
}

// verify verifies a signature.
func verify(ctx context.Context, e *env, args []string) error {
	f := e.flags("verify")
	how := schemeFlags(f)
	in, signature := f.String("in", "", ""), f.String("signature", "", "")
	rest, err := parseAll(f, args, 1, 1)
	if err != nil {
		return err
	}
	if *signature == "" {
		return usagef("verify needs --signature FILE")
	}
	sig, err := os.ReadFile(*signature)
	if err != nil {
		return err
	}
	message, err := e.input(*in)
	if err != nil {
		return err
	}
	pub, err := e.publicKey(ctx, rest[0])
	if err != nil {
		return err
	}
	digest, opts, err := how.digest(pub, message)
	if err != nil {
		return err
	}
	good := false
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			good = rsa.VerifyPSS(k, pss.Hash, digest, sig, pss) == nil
		} else {
			good = rsa.VerifyPKCS1v15(k, opts.HashFunc(), digest, sig) == nil
		}
	case *ecdsa.PublicKey:
		good = ecdsa.VerifyASN1(k, digest, sig)
	case ed25519.PublicKey:
		good = ed25519.Verify(k, digest, sig)
	default:
		return fmt.Errorf("keys of type %T verify nothing here", pub)
	}
	if !good {
		return ckr.Newf(ckr.SignatureInvalid, "verify", "the signature is not of this message and key")
	}
	return e.print(map[string]bool{"valid": true}, "the signature is valid")
}

// encrypt encrypts with a public RSA key.
func encrypt(ctx context.Context, e *env, args []string) error {
	f := e.flags("encrypt")
	oaep := f.String("oaep", "", "")
	in, out := f.String("in", "", ""), f.String("out", "", "")
	rest, err := parseAll(f, args, 1, 1)
	if err != nil {
		return err
	}
	var hash crypto.Hash
	if *oaep != "" {
		if hash, err = parseHash(*oaep); err != nil {
			return err
		}
	}
	secret, err := e.input(*in)
	if err != nil {
		return err
	}
	pub, err := e.publicKey(ctx, rest[0])
	if err != nil {
		return err
	}
	k, ok := pub.(*rsa.PublicKey)
	if !ok {
		return ckr.Newf(ckr.KeyTypeInconsistent, "encrypt", "this needs an RSA key, not %T", pub)
	}
	var sealed []byte
	if hash != 0 {
		sealed, err = rsa.EncryptOAEP(hash.New(), rand.Reader, k, secret, nil)
	} else {
		sealed, err = rsa.EncryptPKCS1v15(rand.Reader, k, secret)
	}
	if err != nil {
		return err
	}
	return e.output(*out, "ciphertext", sealed)
}

// decrypt decrypts with a private RSA key; the plaintext goes to the standard
// output as it is.
func decrypt(ctx context.Context, e *env, args []string) error {
	f := e.flags("decrypt")
	oaep := f.String("oaep", "", "")
	in, out, pin := f.String("in", "", ""), f.String("out", "", ""), f.String("pin", "", "")
	rest, err := parseAll(f, args, 1, 1)
	if err != nil {
		return err
	}
	var opts crypto.DecrypterOpts
	if *oaep != "" {
		hash, err := parseHash(*oaep)
		if err != nil {
			return err
		}
		opts = &rsa.OAEPOptions{Hash: hash}
	}
	sealed, err := e.input(*in)
	if err != nil {
		return err
	}
	return e.withKey(ctx, rest[0], *pin, func(k session.Key) error {
		d, ok := k.(crypto.Decrypter)
		if !ok {
			return ckr.Newf(ckr.KeyTypeInconsistent, "decrypt", "this needs an RSA key, not %T", k.Public())
		}
		plain, err := d.Decrypt(rand.Reader, sealed, opts)
		if err != nil {
			return err
		}
		defer clear(plain)
		if *out == "" && !e.json {
			*out = "-"
		}
		return e.output(*out, "plaintext", plain)
	})
}

// derive agrees on a secret.
func derive(ctx context.Context, e *env, args []string) error {
	f := e.flags("derive")
	peer := f.String("peer", "", "")
	out, pin := f.String("out", "", ""), f.String("pin", "", "")
	rest, err := parseAll(f, args, 1, 1)
	if err != nil {
		return err
	}
	if *peer == "" {
		return usagef("derive needs --peer FILE, a public key in PEM or DER")
	}
	theirs, err := readPeer(*peer)
	if err != nil {
		return err
	}
	return e.withKey(ctx, rest[0], *pin, func(k session.Key) error {
		x, ok := k.(ecdh.KeyExchanger)
		if !ok {
			return ckr.Newf(ckr.KeyTypeInconsistent, "derive", "this needs a key of an elliptic curve, not %T", k.Public())
		}
		secret, err := x.ECDH(theirs)
		if err != nil {
			return err
		}
		defer clear(secret)
		return e.output(*out, "secret", secret)
	})
}

// readPeer reads a public key or the one of a certificate.
func readPeer(name string) (*ecdh.PublicKey, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(b); block != nil {
		b = block.Bytes
	}
	pub, err := x509.ParsePKIXPublicKey(b)
	if err != nil {
		cert, certErr := x509.ParseCertificate(b)
		if certErr != nil {
			return nil, fmt.Errorf("%s: neither a public key nor a certificate", name)
		}
		pub = cert.PublicKey
	}
	switch k := pub.(type) {
	case *ecdh.PublicKey:
		return k, nil
	case *ecdsa.PublicKey:
		return k.ECDH()
	}
	return nil, fmt.Errorf("%s: a key of type %T agrees on nothing", name, pub)
}
