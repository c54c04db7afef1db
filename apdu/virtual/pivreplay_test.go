package virtual_test

import (
	"bytes"
	"crypto/des"
	"path/filepath"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

// pivHistory is the order in which the card can have been used so.
var pivHistory = []string{
	"set-chuid", "set-ccc", "write-cert-9a", "write-cert-9c", "write-cert-9d", "write-cert-9e", "read-cert-9a", "status-full",
	"verify-pin", "wrong-pin", "change-pin", "change-pin-back", "change-puk", "change-puk-back",
	"block-pin-try1", "block-pin-try2", "block-pin-try3", "block-pin-try4", "block-pin-try5", "block-pin-try6",
	"unblock-pin",
}

// TestPivAppletTranscripts replays what yubico-piv-tool said to PivApplet. The
// answer to SELECT describes another card, and challenges are random: the
// management key is proved anew. All else must come out as recorded; that
// applet's pages of a long answer are a byte shorter.
func TestPivAppletTranscripts(t *testing.T) {
	p := virtual.YubiKey57()
	p.Version, p.Serial, p.ManagementAlgorithm = [3]byte{5, 4, 0}, 0xA2416524, 0x03
	p.PINTries, p.PUKTries = 5, 5
	readers := virtual.Single(virtual.New(virtual.WithPIV(p)))
	for _, name := range pivHistory {
		c := connect(t, readers) // the tool powers the card up
		if err := readers.Reset(reader); err != nil {
			t.Fatal(err)
		}
		fails(t, c, apdu.ErrReset)
		var proof, pages, recorded []byte
		for i, x := range readTranscript(t, filepath.Join("testdata/pivapplet", "yubico-piv-tool-"+name+".jsonl")).exchanges {
			command := bytes.Clone(x.c)
			if command[1] == 0x87 && bytes.HasPrefix(command[5:], []byte{0x7C, 0x14}) || command[1] == 0x87 && len(command) > 20 {
				copy(command[9:17], proof)
			}
			got, err := c.Transmit(t.Context(), command)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case command[1] == 0xA4:
				got, x.r = got[len(got)-2:], x.r[len(x.r)-2:]
			case command[1] == 0x87:
				if len(got) == 14 && got[2] == 0x80 {
					proof = decipher(t, got[4:12])
				}
				if len(got) == len(x.r) {
					copy(got[4:], x.r[4:len(x.r)-2])
				}
			case x.r[len(x.r)-2] == 0x61:
				pages, recorded = append(pages, got[:len(got)-2]...), append(recorded, x.r[:len(x.r)-2]...)
				continue
			case command[1] == 0xC0:
				got, x.r = append(pages, got...), append(recorded, x.r...)
				pages, recorded = nil, nil
			}
			if !bytes.Equal(got, x.r) {
				t.Errorf("%s, exchange %d, %X: got %X, recorded %X", name, i, x.c, got, x.r)
			}
		}
		c.Close()
	}
}

// decipher is the proof that a witness asks for.
func decipher(t *testing.T, witness []byte) []byte {
	t.Helper()
	block, err := des.NewTripleDESCipher(virtual.DefaultPIVManagementKey())
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, len(witness))
	block.Decrypt(out, witness)
	return out
}
