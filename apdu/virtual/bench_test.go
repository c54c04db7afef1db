package virtual_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

// signing returns a connection to a card with an environment set for a fresh
// key.
func signing(b *testing.B, kind string, bits int, alg string) apdu.Transport {
	b.Helper()
	c := connect(b, virtual.Single(virtual.New()))
	ok(b, c, fmt.Sprintf("00E000000D620B 8102%04X 8201%s 83024B01", bits, kind))
	ok(b, c, "00460000")
	ok(b, c, "002241B60A 8001"+alg+" 81024B01 840100")
	return c
}

func transmit(b *testing.B, c apdu.Transport, commands ...[]byte) {
	b.ReportAllocs()
	ctx := context.Background()
	for b.Loop() {
		for _, command := range commands {
			if _, err := c.Transmit(ctx, command); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkStatus(b *testing.B) {
	transmit(b, connect(b, virtual.Single(virtual.New())), pinStatus)
}

func BenchmarkTransaction(b *testing.B) {
	c := connect(b, virtual.Single(virtual.New()))
	b.ReportAllocs()
	for b.Loop() {
		begin(b, c).End()
	}
}

func BenchmarkSignP256(b *testing.B) {
	digest := sha256.Sum256(nil)
	b.Run("card", func(b *testing.B) {
		c := signing(b, "22", 256, "04")
		transmit(b, c, unhex(b, fmt.Sprintf("002A9E9A20%x00", digest)))
	})
	b.Run("crypto", func(b *testing.B) {
		key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		for b.Loop() {
			ecdsa.SignASN1(rand.Reader, key, digest[:])
		}
	})
}

func BenchmarkSignRSA2048(b *testing.B) {
	digest := sha256.Sum256(nil)
	info := "3031300D060960864801650304020105000420" + fmt.Sprintf("%x", digest)
	block := "0001" + strings.Repeat("FF", 256-3-51) + "00" + info
	b.Run("card pads", func(b *testing.B) {
		c := signing(b, "11", 2048, "02")
		transmit(b, c, unhex(b, "002A9E9A33"+info+"00"))
	})
	b.Run("client pads", func(b *testing.B) {
		c := signing(b, "11", 2048, "00")
		transmit(b, c, unhex(b, "102A9E9AFF"+block[:510]), unhex(b, "002A9E9A01"+block[510:]+"00"))
	})
	b.Run("raw", func(b *testing.B) {
		c := signing(b, "11", 2048, "00")
		block := "00" + strings.Repeat("5A", 255)
		transmit(b, c, unhex(b, "102A9E9AFF"+block[:510]), unhex(b, "002A9E9A01"+block[510:]+"00"))
	})
	b.Run("crypto", func(b *testing.B) {
		key, _ := rsa.GenerateKey(rand.Reader, 2048)
		for b.Loop() {
			rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
		}
	})
}
