package faults_test

import (
	"crypto/rsa"
	"math/big"
)

// rawRSA encrypts a block as it is.
func rawRSA(pub *rsa.PublicKey, block []byte) []byte {
	m := new(big.Int).Exp(new(big.Int).SetBytes(block), big.NewInt(int64(pub.E)), pub.N)
	return m.FillBytes(make([]byte, pub.Size()))
}
