package myeid_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"testing"
)

var curves = []struct {
	curve elliptic.Curve
	dh    ecdh.Curve
	size  string
}{
	{elliptic.P256(), ecdh.P256(), "0100"},
	{elliptic.P384(), ecdh.P384(), "0180"},
	{elliptic.P521(), ecdh.P521(), "0209"},
}

func (c tester) publicEC(curve elliptic.Curve) *ecdsa.PublicKey {
	c.Helper()
	raw := unhex(c, c.ok("00CA018600"))
	point := raw[2:]
	if raw[1] == 0x81 {
		point = raw[3:]
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil || raw[0] != 0x30 || len(raw) < len(point)+2 {
		c.Fatalf("public key %X: %v", raw, err)
	}
	return pub
}

// verifyInteger checks an ECDSA signature of a whole number, which is what
// the card signs: no bits are cut off.
func verifyInteger(pub *ecdsa.PublicKey, e *big.Int, der []byte) bool {
	var s struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &s); err != nil || len(rest) != 0 {
		return false
	}
	n := pub.Curve.Params().N
	w := new(big.Int).ModInverse(s.S, n)
	u1 := new(big.Int).Mul(e, w)
	u2 := new(big.Int).Mul(s.R, w)
	x1, y1 := pub.Curve.ScalarBaseMult(u1.Mod(u1, n).Bytes())
	x2, y2 := pub.Curve.ScalarMult(pub.X, pub.Y, u2.Mod(u2, n).Bytes())
	x, _ := pub.Curve.Add(x1, y1, x2, y2)
	return x.Mod(x, n).Cmp(s.R) == 0
}

func TestECGenerationAndUse(t *testing.T) {
	for _, tt := range curves {
		t.Run(tt.curve.Params().Name, func(t *testing.T) {
			c := blank(t)
			c.create("22", "4B01", tt.size, "000000", "0000")
			c.sw("00CA018600", "6A88")
			c.sw("0046000001AA", "6985")
			answered := c.ok("0046000000")
			pub := c.publicEC(tt.curve)
			if read := c.ok("00CA018600"); answered[2:] != read[2:] || answered[:2] != "86" {
				t.Errorf("GENERATE answered %s, GET DATA %s", answered, read)
			}
			c.sw("00460000", "6984")
			signIntegers(t, c, pub)
			agree(t, c, pub, tt.dh)
		})
	}
}

func signIntegers(t *testing.T, c tester, pub *ecdsa.PublicKey) {
	t.Helper()
	size := (pub.Curve.Params().BitSize + 7) / 8
	c.ok(environment("41B6", "04"))
	random := make([]byte, size)
	rand.Read(random)
	padded := bytes.Clone(random)
	copy(padded, make([]byte, size-20))
	all := bytes.Repeat([]byte{0xFF}, size)
	for _, hash := range [][]byte{random, padded, padded[size-20:], all, make([]byte, size), {1}} {
		der := unhex(t, c.ok("002A9E9A"+lv(hex.EncodeToString(hash))+"00"))
		if !verifyInteger(pub, new(big.Int).SetBytes(hash), der) {
			t.Errorf("wrong signature of %X", hash)
		}
	}
	c.sw("002A9E9A"+lv(strings.Repeat("11", size+1))+"00", "6700")
	c.ok(environment("41B6", "00"))
	c.sw("002A9E9A"+lv("11")+"00", "6985")
}

func agree(t *testing.T, c tester, pub *ecdsa.PublicKey, curve ecdh.Curve) {
	t.Helper()
	mine, err := curve.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := pub.ECDH()
	if err != nil {
		t.Fatal(err)
	}
	want, err := mine.ECDH(theirs)
	if err != nil {
		t.Fatal(err)
	}
	point := hex.EncodeToString(mine.PublicKey().Bytes())
	template := ber("7C", ber("85", point))
	c.ok(environment("41A4", "04"))
	for _, body := range []string{template, ber("7C", "8000"+ber("85", point)), ber("7C", "8002AABB"+ber("85", point))} {
		if got := unhex(t, c.ok("00860000"+lv(body)+"00")); !bytes.Equal(got, want) {
			t.Errorf("agreed on %X, want %X", got, want)
		}
	}
	wrong := mine.PublicKey().Bytes()
	wrong[len(wrong)-1] ^= 1
	for body, sw := range map[string]string{
		template[:len(template)-2]:                 "6984",
		template + "00":                            "6984",
		ber("7C", ber("85", point)+"00"):           "6984",
		ber("7C", ber("86", point)):                "6984",
		ber("7C", ber("85", point[:len(point)-2])): "6984",
		ber("7C", ber("85", "")):                   "6984",
		"7C00":                                     "6984",
		"7C":                                       "6984",
		"7C80":                                     "6984",
		"7C81":                                     "6984",
		ber("7C", ber("85", hex.EncodeToString(wrong))): "6985",
		ber("7C", ber("85", "02"+point[2:])):            "6984",
	} {
		c.sw("00860000"+lv(body)+"00", sw)
	}
	c.sw("00860001"+lv(template)+"00", "6A86")
	c.ok(environment("41B6", "04"))
	c.sw("00860000"+lv(template)+"00", "6985")
}

// ber puts tag and length before a value.
func ber(tag, value string) string {
	if n := len(value) / 2; n >= 0x80 {
		return fmt.Sprintf("%s81%02X%s", tag, n, value)
	}
	return tag + lv(value)
}

func TestECImport(t *testing.T) {
	for _, tt := range curves {
		t.Run(tt.curve.Params().Name, func(t *testing.T) {
			key, err := ecdsa.GenerateKey(tt.curve, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			d, _ := key.Bytes()
			q, _ := key.PublicKey.Bytes()
			scalar, point := hex.EncodeToString(d), hex.EncodeToString(q)
			for _, order := range [][2]string{{"87" + lv(scalar), "86" + lv(point)}, {"86" + lv(point), "87" + lv(scalar)}} {
				c := blank(t)
				c.create("22", "4B01", tt.size, "000000", "0000")
				c.ok("00DA01" + order[0])
				c.sw("00DA01"+order[0], "6984")
				c.ok("00DA01" + order[1])
				if pub := c.publicEC(tt.curve); !pub.Equal(&key.PublicKey) {
					t.Fatal("another public key")
				}
				signIntegers(t, c, &key.PublicKey)
			}
			refuseEC(t, tt.size, scalar, point)
		})
	}
}

func refuseEC(t *testing.T, size, scalar, point string) {
	t.Helper()
	c := blank(t)
	c.create("22", "4B01", size, "000000", "0000")
	c.sw("00DA0187"+lv(scalar[2:]), "6700")
	c.sw("00DA0187"+lv("00"+scalar), "6700")
	c.sw("00DA0186"+lv(point[2:]), "6700")
	c.sw("00DA0187"+lv(strings.Repeat("FF", len(scalar)/2)), "6984")
	c.sw("00DA0187"+lv(strings.Repeat("00", len(scalar)/2)), "6984")
	c.sw("00DA0183"+lv("01"), "6A88")
	c.ok("00DA0187" + lv(scalar))
	c.sw("00DA0186"+lv(strings.Repeat("04", len(point)/2)), "6984")
	c.ok("00DA0186" + lv(point)) // the scalar is still there
}

func TestCurveParameters(t *testing.T) {
	for _, tt := range curves {
		c := blank(t)
		c.create("22", "4B01", tt.size, "000000", "0000")
		p := tt.curve.Params()
		field := func(n *big.Int) string {
			return strings.ToUpper(hex.EncodeToString(n.FillBytes(make([]byte, (p.BitSize+7)/8))))
		}
		a := new(big.Int).Sub(p.P, big.NewInt(3))
		for p2, want := range map[string]string{
			"81": field(p.P), "82": field(a), "83": field(p.B), "84": field(p.Gx) + field(p.Gy), "85": field(p.N),
		} {
			if got := c.ok("00CA01" + p2 + "00"); got != want {
				t.Errorf("%s, parameter %s: %s, want %s", p.Name, p2, got, want)
			}
		}
		c.sw("00CA010100", "6A88")
	}
	blank(t).sw("00CA018100", "6A88")
}
