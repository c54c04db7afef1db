package virtual_test

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

const reader = "Virtual 00"

var (
	selectMF  = []byte{0x00, 0xA4, 0x00, 0x00}
	applet    = []byte{0x00, 0xCA, 0x01, 0xA0, 0x14}
	pinStatus = []byte{0x00, 0x20, 0x00, 0x01}
)

func TestMain(m *testing.M) {
	if path := victim(); path != "" {
		die(path)
		return
	}
	goleak.VerifyTestMain(m)
}

func connect(t testing.TB, p *virtual.Provider) apdu.Transport {
	t.Helper()
	c, err := p.Connect(context.Background(), reader)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// send sends a command in hex and returns the answer in hex.
func send(t testing.TB, c apdu.Transport, command string) string {
	t.Helper()
	answer, err := c.Transmit(context.Background(), unhex(t, strings.ReplaceAll(command, " ", "")))
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return strings.ToUpper(hex.EncodeToString(answer))
}

func ok(t testing.TB, c apdu.Transport, command string) string {
	t.Helper()
	answer := send(t, c, command)
	if !strings.HasSuffix(answer, "9000") {
		t.Fatalf("%s: %s", command, answer)
	}
	return strings.TrimSuffix(answer, "9000")
}

// fails checks how a command fails on the link.
func fails(t testing.TB, c apdu.Transport, want ...error) {
	t.Helper()
	answer, err := c.Transmit(context.Background(), selectMF)
	for _, w := range want {
		if !errors.Is(err, w) {
			t.Errorf("answer %X, error %v, want %v", answer, err, w)
		}
	}
}

func begin(t testing.TB, c apdu.Transport) apdu.Transaction {
	t.Helper()
	b, err := c.(apdu.Transactor).Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func alive(c apdu.Transport) bool { return c.(apdu.Liveness).Alive() }

// Commands that make a card with a user PIN 1, activated.
func initialise(t testing.TB, c apdu.Transport) {
	t.Helper()
	ok(t, c, "00DA010113 31313131FFFFFFFF 3232323232323232 030A00")
	ok(t, c, "004404000C A000000063504B43532D3135")
}

const verifyPIN = "0020000108 31313131FFFFFFFF"
