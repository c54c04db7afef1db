package soft

import (
	"crypto/cipher"
	"hash"

	"github.com/go-cryptoki/cryptoki/mechanism"
)

// gmac is GMAC as a hash.Hash: the tag of GCM over associated data only, which
// it keeps until the end.
type gmac struct {
	aead cipher.AEAD
	iv   []byte
	data []byte
}

func (m *Material) gmac(mech mechanism.AESGMAC) (hash.Hash, error) {
	g, err := m.gcmWith(mechanism.AESGCM{IV: mech.IV})
	if err != nil {
		return nil, err
	}
	return &gmac{aead: g.aead, iv: mech.IV}, nil
}

func gmacSize(mechanism.AESGMAC) int { return 16 }

func (g *gmac) Size() int      { return g.aead.Overhead() }
func (g *gmac) BlockSize() int { return 16 }

func (g *gmac) Reset() {
	clear(g.data)
	g.data = nil
}

func (g *gmac) Write(p []byte) (int, error) {
	g.data = append(g.data, p...)
	return len(p), nil
}

func (g *gmac) Sum(b []byte) []byte { return g.aead.Seal(b, g.iv, nil, g.data) }
