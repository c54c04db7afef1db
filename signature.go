package cryptoki

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"

	"github.com/go-cryptoki/cryptoki/internal/rsapad"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

// signature is what is known of the signature that one certificate claims to
// have from another.
type signature uint8

const (
	signatureGood      signature = iota
	signatureWeak                // it is good, and made with SHA-1
	signatureUnchecked           // of an algorithm that is not known here
	signatureBad
)

// signatureOf checks whether issuer's key signed a certificate. It says nothing
// of whether issuer may sign.
func signatureOf(c, issuer *x509.Certificate) signature {
	good := signatureGood
	if c.SignatureAlgorithm == x509.SHA1WithRSA || c.SignatureAlgorithm == x509.ECDSAWithSHA1 {
		if !mechanism.Permitted(crypto.SHA1) {
			return signatureUnchecked
		}
		good = signatureWeak
	}
	err := issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
	var insecure x509.InsecureAlgorithmError
	_, isRSA := issuer.PublicKey.(*rsa.PublicKey)
	switch {
	case err == nil:
		return good
	case errors.As(err, &insecure) && isRSA: // MD5
		return signatureUnchecked
	case errors.Is(err, x509.ErrUnsupportedAlgorithm):
		return byPSS(c, issuer)
	case isRSA && isByRSA(c.SignatureAlgorithm) && !errors.Is(err, rsa.ErrVerification):
		return signatureUnchecked // the key is too short for crypto/rsa
	}
	return signatureBad
}

func isByRSA(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.SHA1WithRSA, x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
		x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS:
		return true
	}
	return false
}

func digestOf(h crypto.Hash, data []byte) []byte {
	d := h.New()
	d.Write(data)
	return d.Sum(nil)
}

// Algorithm identifiers of RFC 8017 and FIPS 180.
var (
	oidPSS  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidMGF1 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}

	pssHashes = []struct {
		oid  asn1.ObjectIdentifier
		hash crypto.Hash
	}{
		{asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}, crypto.SHA1},
		{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 4}, crypto.SHA224},
		{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, crypto.SHA256},
		{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}, crypto.SHA384},
		{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}, crypto.SHA512},
		{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 8}, crypto.SHA3_256},
		{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 9}, crypto.SHA3_384},
		{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 10}, crypto.SHA3_512},
	}
)

// byPSS checks a signature by RSA-PSS that crypto/x509 does not: by a key that
// is for PSS alone, or with parameters of its own choice.
func byPSS(c, issuer *x509.Certificate) signature {
	key, isRSA := rsaKeyOf(issuer)
	var outer struct {
		Statement asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.Raw, &outer); err != nil || !outer.Algorithm.Algorithm.Equal(oidPSS) {
		return signatureUnchecked
	}
	if !isRSA {
		return signatureBad
	}
	h, mgf, salt, ok := pssParameters(outer.Algorithm.Parameters.FullBytes)
	s := new(big.Int).SetBytes(c.Signature)
	switch {
	case !ok || !mechanism.Permitted(h) || !mechanism.Permitted(mgf) || key.N.BitLen() < 512:
		return signatureUnchecked
	case len(c.Signature) != key.Size() || s.Cmp(key.N) >= 0:
		return signatureBad
	}
	block := s.Exp(s, big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, key.Size()))
	switch err := rsapad.VerifyPSS(h, mgf, salt, digestOf(h, c.RawTBSCertificate), block, key.N.BitLen()); {
	case err != nil:
		return signatureBad
	case h == crypto.SHA1:
		return signatureWeak
	}
	return signatureGood
}

// rsaKeyOf returns the RSA key of a certificate, also one that is for PSS alone
// (RFC 4055 §1.2).
func rsaKeyOf(c *x509.Certificate) (*rsa.PublicKey, bool) {
	if key, ok := c.PublicKey.(*rsa.PublicKey); ok {
		return key, true
	}
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &info); err != nil || !info.Algorithm.Algorithm.Equal(oidPSS) {
		return nil, false
	}
	key, err := x509.ParsePKCS1PublicKey(info.Key.RightAlign())
	return key, err == nil
}

// pssParameters reads RSASSA-PSS-params, RFC 8017 §A.2.3. What is left out is
// SHA-1 and 20 bytes.
func pssParameters(der []byte) (h, mgf crypto.Hash, salt int, ok bool) {
	var p struct {
		Hash    pkix.AlgorithmIdentifier `asn1:"explicit,optional,tag:0"`
		MGF     pkix.AlgorithmIdentifier `asn1:"explicit,optional,tag:1"`
		Salt    int                      `asn1:"explicit,optional,tag:2,default:20"`
		Trailer int                      `asn1:"explicit,optional,tag:3,default:1"`
	}
	if rest, err := asn1.Unmarshal(der, &p); err != nil || len(rest) > 0 || p.Trailer != 1 || p.Salt < 0 {
		return 0, 0, 0, false
	}
	h, mgf = crypto.SHA1, crypto.SHA1
	if len(p.Hash.Algorithm) > 0 {
		h = hashNamed(p.Hash.Algorithm)
	}
	if len(p.MGF.Algorithm) > 0 {
		var inner pkix.AlgorithmIdentifier
		if _, err := asn1.Unmarshal(p.MGF.Parameters.FullBytes, &inner); err != nil || !p.MGF.Algorithm.Equal(oidMGF1) {
			return 0, 0, 0, false
		}
		mgf = hashNamed(inner.Algorithm)
	}
	return h, mgf, p.Salt, h != 0 && mgf != 0
}

func hashNamed(oid asn1.ObjectIdentifier) crypto.Hash {
	for _, x := range pssHashes {
		if x.oid.Equal(oid) {
			return x.hash
		}
	}
	return 0
}

// isSelfSigned reports whether a certificate is signed with its own key, or may
// be as far as can be told.
func isSelfSigned(c *x509.Certificate) bool {
	if !bytes.Equal(c.RawSubject, c.RawIssuer) {
		return false
	}
	switch signatureOf(c, c) {
	case signatureBad:
		return false
	case signatureUnchecked:
		return keyIDsOf(c, c) != keyIDsDiffer
	}
	return true
}

// keyIDs is how the authority key identifier of one certificate goes with the
// subject key identifier of another.
type keyIDs uint8

const (
	keyIDsEqual keyIDs = iota
	keyIDsUnknown
	keyIDsDiffer
)

func keyIDsOf(c, issuer *x509.Certificate) keyIDs {
	switch {
	case len(c.AuthorityKeyId) == 0 || len(issuer.SubjectKeyId) == 0:
		return keyIDsUnknown
	case bytes.Equal(c.AuthorityKeyId, issuer.SubjectKeyId):
		return keyIDsEqual
	}
	return keyIDsDiffer
}
