package mechanism

import (
	"encoding/asn1"
	"math/big"

	"github.com/go-cryptoki/cryptoki/ckr"
)

// maxOrder is the longest order of a curve in bytes that is understood here,
// that of P-521 and some to spare.
const maxOrder = 128

// ECDSAToASN1 turns a signature as PKCS #11 has it, r and s of equal length,
// into the DER form of X.509 and crypto/ecdsa (RFC 3279 §2.2.3). It returns
// ckr.SignatureLenRange if raw is empty, of odd length or too long.
func ECDSAToASN1(raw []byte) ([]byte, error) {
	if len(raw) == 0 || len(raw)%2 != 0 || len(raw) > 2*maxOrder {
		return nil, ckr.Newf(ckr.SignatureLenRange, "ECDSA signature", "%d bytes", len(raw))
	}
	half := len(raw) / 2
	der, err := asn1.Marshal([]*big.Int{new(big.Int).SetBytes(raw[:half]), new(big.Int).SetBytes(raw[half:])})
	if err != nil {
		return nil, ckr.New(ckr.SignatureInvalid, "ECDSA signature", err)
	}
	return der, nil
}

// ECDSAFromASN1 turns a signature in DER into r and s, each of size bytes,
// where size is the length of the curve's order: 32 for P-256, 66 for P-521.
// It returns ckr.SignatureInvalid if der is no signature or its numbers are
// negative or longer than size.
func ECDSAFromASN1(der []byte, size int) ([]byte, error) {
	var sig []*big.Int // not a struct, of which encoding/asn1 lets more follow
	rest, err := asn1.Unmarshal(der, &sig)
	if err != nil {
		return nil, ckr.New(ckr.SignatureInvalid, "ECDSA signature", err)
	}
	if len(rest) != 0 || len(sig) != 2 || size <= 0 || size > maxOrder || !fits(sig[0], size) || !fits(sig[1], size) {
		return nil, ckr.Newf(ckr.SignatureInvalid, "ECDSA signature", "numbers do not fit %d bytes", size)
	}
	raw := make([]byte, 2*size)
	sig[0].FillBytes(raw[:size])
	sig[1].FillBytes(raw[size:])
	return raw, nil
}

func fits(n *big.Int, size int) bool { return n.Sign() >= 0 && n.BitLen() <= 8*size }
