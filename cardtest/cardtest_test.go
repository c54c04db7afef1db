package cardtest

import (
	"crypto"
	"crypto/sha256"
	"testing"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/token"
)

func TestCardHasWhatWasAskedFor(t *testing.T) {
	keys := []Key{{Label: "a", Type: P256}, {Label: "b", Type: RSA2048}, {Label: "c", Type: P384, Always: true}, {Label: "d", Type: P521}}
	readers, err := Readers(t.Context(), keys...)
	if err != nil {
		t.Fatal(err)
	}
	m, err := cryptoki.Open(t.Context(), cryptoki.WithProvider(readers), cryptoki.WithPIN(token.StaticPIN([]byte(PIN))))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	digest := sha256.Sum256(nil)
	for _, k := range keys {
		c, err := m.TLSCertificate(t.Context(), "pkcs11:token="+Label+";object="+k.Label)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.PrivateKey.(crypto.Signer).Sign(nil, digest[:], crypto.SHA256); err != nil {
			t.Errorf("%s: %v", k.Label, err)
		}
		root, err := m.Certificate(t.Context(), "pkcs11:object=a")
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Leaf.CheckSignatureFrom(root); err != nil {
			t.Errorf("%s: %v", k.Label, err)
		}
	}
	if _, err := Readers(t.Context(), Key{Label: "x", Type: "P-999"}); err == nil {
		t.Error("made a key of no type")
	}
}
