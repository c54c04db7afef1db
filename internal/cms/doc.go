// Package cms reads SignedData of the Cryptographic Message Syntax (RFC 5652)
// and checks its signatures: what stands behind the objects of cards, which
// are signed by their issuers.
//
//	sd, err := cms.Parse(der)
//	…
//	for _, s := range sd.Signers {
//		cert := s.Certificate(sd.Certificates)
//		err := s.Verify(cert, sd.ContentType, content)
//	}
//
// It reads DER, knows RSA (PKCS #1 and PSS) and ECDSA, and says nothing of
// certificates: whether a signer's is good, and good for it, is for the caller
// to judge.
package cms
