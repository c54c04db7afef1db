package rsapad

import (
	"bytes"
	"errors"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

func TestResultHasTheLengthOfTheModulus(t *testing.T) {
	for _, c := range []struct {
		answered, n int
		ok          bool
	}{{256, 256, true}, {255, 256, true}, {248, 256, true}, {247, 256, false}, {0, 256, false}, {257, 256, false}, {0, 4, false}} {
		b := bytes.Repeat([]byte{1}, c.answered)
		got, err := Result(b, c.n)
		if !c.ok {
			if !errors.Is(err, ckr.DeviceError) {
				t.Errorf("%d bytes for %d: %v", c.answered, c.n, err)
			}
			continue
		}
		want := append(make([]byte, c.n-c.answered), b...)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes for %d: %x, %v", c.answered, c.n, got, err)
		}
	}
}

func TestRawBlocksAreFilledUp(t *testing.T) {
	if b, err := SignatureBlock(mechanism.RSAX509{}, []byte{1, 2}, 1023); err != nil || len(b) != 128 || b[126] != 1 || b[127] != 2 || b[0] != 0 {
		t.Errorf("%x, %v", b, err)
	}
	if _, err := SignatureBlock(mechanism.RSAX509{}, make([]byte, 129), 1024); !errors.Is(err, ckr.DataLenRange) {
		t.Errorf("more than the modulus: %v", err)
	}
}

func TestBlocksAreOfRSA(t *testing.T) {
	if _, err := SignatureBlock(mechanism.ECDSA{}, nil, 2048); !errors.Is(err, ckr.MechanismInvalid) {
		t.Errorf("to sign: %v", err)
	}
	if _, err := Message(mechanism.AESECB{}, make([]byte, 256)); !errors.Is(err, ckr.MechanismInvalid) {
		t.Errorf("to decrypt: %v", err)
	}
}
