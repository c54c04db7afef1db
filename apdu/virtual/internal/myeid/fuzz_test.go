package myeid_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/myeid"
)

// FuzzProcess sends any sequence of commands, one length byte before each. A
// card answers all of them in bounded time, with a status word and at most
// 256 bytes.
func FuzzProcess(f *testing.F) {
	for _, commands := range []string{
		"00A4000000 00CA01A005 00C0000000",
		"00DA0101133131313131313131323232323232323203 0A00 00440400" + lv("A000000063504B43532D3135") + " 0020000108" + wrongPIN + " 00200001",
		"00E000000D620B81020100820122830 24B01 00460000 002241B60780010481024B01 002A9E9A01FF00",
		"00E000000D620B81020080820129830 24D01 00DA01A010" + key16 + " 002281B80780010081024D01 102A848010" + key16 + "10",
		"00E000000D620B80020010820101830 24401 00D6000001AA 00B0000000 000E0000 00E40000",
		"10DA018001AA 00DA018001AA 00DA01E002FFFF",
	} {
		var seed []byte
		for _, c := range strings.Fields(strings.ReplaceAll(strings.ReplaceAll(commands, "830 2", "8302"), "03 0A00", "030A00")) {
			raw, err := hex.DecodeString(c)
			if err != nil {
				f.Fatalf("%s: %v", c, err)
			}
			seed = append(append(seed, byte(len(raw))), raw...)
		}
		f.Add(seed)
	}
	p := persona()
	p.Capacity = 8 << 10
	p.MaxRSA = 1024
	f.Fuzz(func(t *testing.T, script []byte) {
		card := myeid.New(p)
		start := time.Now()
		for n := 0; len(script) > 0 && n < 24; n++ {
			size := min(int(script[0]), len(script)-1)
			command := bytes.Clone(script[1 : 1+size])
			script = script[1+size:]
			if answer := card.Process(command); len(answer) < 2 || len(answer) > 258 {
				t.Fatalf("%X: an answer of %d bytes", command, len(answer))
			}
		}
		card.Reset()
		if d := time.Since(start); d > 30*time.Second {
			t.Errorf("took %v", d)
		}
	})
}
