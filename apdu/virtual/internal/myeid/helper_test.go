package myeid_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/myeid"
)

func persona() myeid.Persona {
	return myeid.Persona{
		Name: "MyEID", Version: [3]byte{5, 0, 0}, Serial: [10]byte{1, 2, 3},
		Features: myeid.FeatureRSA | myeid.FeatureDES | myeid.FeatureAES | myeid.FeatureEC,
		MaxRSA:   4096, MaxDES: 192, MaxAES: 256, MaxEC: 521,
		Capacity: 64 << 10,
	}
}

// tester sends commands in hex to a card.
type tester struct {
	testing.TB
	card *myeid.Card
}

func blank(t testing.TB) tester { return tester{t, myeid.New(persona())} }

// The codes of the cards that active makes.
const (
	userPIN = "31313131FFFFFFFF"
	userPUK = "3232323232323232"
	soPIN   = "3838383838383838"
)

// active returns an activated card with user PIN 1 and SO PIN 3, DF 5015
// selected.
func active(t testing.TB) tester {
	c := blank(t)
	c.ok("00DA010113" + userPIN + userPUK + "030A00")
	c.ok("00DA010313" + soPIN + soPIN + "030A00")
	c.ok("00440400" + lv("A000000063504B43532D3135"))
	c.ok("00A40000025015")
	return c
}

// lv puts the length before a hex string.
func lv(s string) string { return fmt.Sprintf("%02X%s", len(s)/2, s) }

// send returns data and status word in hex.
func (c tester) send(command string) (data, sw string) {
	c.Helper()
	raw, err := hex.DecodeString(strings.ReplaceAll(command, " ", ""))
	if err != nil {
		c.Fatal(err)
	}
	answer := c.card.Process(raw)
	if len(answer) < 2 || len(answer) > 258 {
		c.Fatalf("%s: an answer of %d bytes", command, len(answer))
	}
	n := len(answer) - 2
	return strings.ToUpper(hex.EncodeToString(answer[:n])), strings.ToUpper(hex.EncodeToString(answer[n:]))
}

// ok sends a command that must succeed and returns the data.
func (c tester) ok(command string) string {
	c.Helper()
	data, sw := c.send(command)
	if sw != "9000" {
		c.Fatalf("%s: %s, want 9000", command, sw)
	}
	return data
}

// sw sends a command that must end with a status word.
func (c tester) sw(command, want string) {
	c.Helper()
	if _, sw := c.send(command); sw != want {
		c.Errorf("%s: %s, want %s", command, sw, want)
	}
}

// long sends a command with a body of any length by chaining, and collects
// the answer with GET RESPONSE.
func (c tester) long(header string, body []byte, le string) (data []byte, sw string) {
	c.Helper()
	for len(body) > 255 {
		c.ok("10" + header[2:] + lv(hex.EncodeToString(body[:255])))
		body = body[255:]
	}
	part, sw := c.send(header + lv(hex.EncodeToString(body)) + le)
	all := part
	for strings.HasPrefix(sw, "61") {
		part, sw = c.send("00C00000" + sw[2:])
		all += part
	}
	data, err := hex.DecodeString(all)
	if err != nil {
		c.Fatal(err)
	}
	return data, sw
}

// create makes a file in the current DF.
func (c tester) create(kind, id, size, acl, prop string) {
	c.Helper()
	tag := "81"
	if kind == "01" {
		tag = "80"
	}
	c.ok("00E00000" + lv("62"+lv(tag+lv(size)+"82"+lv(kind)+"83"+lv(id)+"86"+lv(acl)+"85"+lv(prop)+"8A0100")))
}

func (c tester) verifyUser() { c.Helper(); c.ok("0020000108" + userPIN) }

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newWith(p myeid.Persona) *myeid.Card { return myeid.New(p) }
