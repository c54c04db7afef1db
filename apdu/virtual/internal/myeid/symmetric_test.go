package myeid_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"strings"
	"testing"
)

const (
	key16 = "000102030405060708090A0B0C0D0E0F"
	key24 = key16 + "1011121314151617"
	key32 = key24 + "18191A1B1C1D1E1F"
	key8  = "0001020304050607"
)

// ciphers are a key file's type and size, and the key.
var ciphers = []struct{ name, kind, size, key string }{
	{"AES-128", "29", "0080", key16},
	{"AES-192", "29", "00C0", key24},
	{"AES-256", "29", "0100", key32},
	{"DES", "19", "0040", key8},
	{"3DES with two keys", "19", "0080", key16},
	{"3DES with three keys", "19", "00C0", key24},
}

func blockCipher(t *testing.T, kind, key string) cipher.Block {
	t.Helper()
	k := unhex(t, key)
	var block cipher.Block
	var err error
	switch {
	case kind == "29":
		block, err = aes.NewCipher(k)
	case len(k) == 8:
		block, err = des.NewCipher(k)
	case len(k) == 16:
		block, err = des.NewTripleDESCipher(append(k, k[:8]...))
	default:
		block, err = des.NewTripleDESCipher(k)
	}
	if err != nil {
		t.Fatal(err)
	}
	return block
}

func cbc(block cipher.Block, iv, plain []byte) []byte {
	out := make([]byte, len(plain))
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, plain)
	return out
}

// cipherEnvironment sets the key in 4D01 with an IV.
func cipherEnvironment(p1p2, alg string, iv []byte) string {
	body := "8001" + alg + "81024D01830100"
	if iv != nil {
		body += "87" + lv(hex.EncodeToString(iv))
	}
	return "0022" + p1p2 + lv(body)
}

func TestCiphers(t *testing.T) {
	for _, tt := range ciphers {
		t.Run(tt.name, func(t *testing.T) {
			c := blank(t)
			c.create(tt.kind, "4D01", tt.size, "000000", "0000")
			c.sw("00DA01A0"+lv(tt.key+"00"), "6700")
			c.sw("00DA0187"+lv(tt.key), "6A88")
			c.ok("00DA01A0" + lv(tt.key))
			c.sw("00DA01A0"+lv(tt.key), "6984")
			block := blockCipher(t, tt.kind, tt.key)
			size := block.BlockSize()
			iv, plain := make([]byte, size), make([]byte, 6*size)
			rand.Read(iv)
			rand.Read(plain)

			ecbBlock(t, c, block, plain[:size])
			chainedCBC(t, c, block, iv, plain)
			paddedCBC(t, c, block, iv, plain)
			c.ok(cipherEnvironment("81B8", "00", iv))
			c.sw("002A8480"+lv(strings.Repeat("00", size-1))+"00", "6700")
			c.sw("002A8084"+lv(strings.Repeat("00", size))+"00", "6985")
			c.ok(cipherEnvironment("81B8", "02", iv))
			c.sw("002A8480"+lv(strings.Repeat("00", size))+"00", "6985")
		})
	}
}

// ecbBlock sends single blocks without an IV and with an IV of zero.
func ecbBlock(t *testing.T, c tester, block cipher.Block, plain []byte) {
	t.Helper()
	want := make([]byte, len(plain))
	block.Encrypt(want, plain)
	for _, iv := range [][]byte{nil, make([]byte, len(plain))} {
		c.ok(cipherEnvironment("81B8", "00", iv))
		for range 2 {
			if got := unhex(t, c.ok("002A8480"+lv(hex.EncodeToString(plain))+"00")); !bytes.Equal(got, want) {
				t.Errorf("one block: %X, want %X", got, want)
			}
		}
		c.ok(cipherEnvironment("41B8", "00", iv))
		for range 2 {
			if got := unhex(t, c.ok("002A8084"+lv(hex.EncodeToString(want))+"00")); !bytes.Equal(got, plain) {
				t.Errorf("one block back: %X, want %X", got, plain)
			}
		}
	}
}

// chainedCBC cuts a message in parts; each is answered at once, and after the
// last one the IV is the first again.
func chainedCBC(t *testing.T, c tester, block cipher.Block, iv, plain []byte) {
	t.Helper()
	size := block.BlockSize()
	want := cbc(block, iv, plain)
	for _, way := range []struct {
		mse, pso string
		in, out  []byte
	}{{"81B8", "2A8480", plain, want}, {"41B8", "2A8084", want, plain}} {
		c.ok(cipherEnvironment(way.mse, "00", iv))
		for range 2 {
			var got []byte
			for i, blocks := range []int{1, 3, 2} {
				cla := "10"
				if i == 2 {
					cla = "00"
				}
				part := way.in[len(got):][:blocks*size]
				got = append(got, unhex(t, c.ok(cla+way.pso+lv(hex.EncodeToString(part))+"00"))...)
			}
			if !bytes.Equal(got, way.out) {
				t.Errorf("%s: %X, want %X", way.pso, got, way.out)
			}
		}
	}
}

func paddedCBC(t *testing.T, c tester, block cipher.Block, iv, plain []byte) {
	t.Helper()
	size := block.BlockSize()
	for n := 1; n <= 2*size; n++ {
		pad := size - n%size
		want := cbc(block, iv, append(bytes.Clone(plain[:n]), bytes.Repeat([]byte{byte(pad)}, pad)...))
		c.ok(cipherEnvironment("81B8", "80", iv))
		got := unhex(t, c.ok("002A8480"+lv(hex.EncodeToString(plain[:n]))+"00"))
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes padded: %X, want %X", n, got, want)
		}
		c.ok(cipherEnvironment("41B8", "80", iv))
		if back := unhex(t, c.ok("002A8084"+lv(hex.EncodeToString(want))+"00")); !bytes.Equal(back, plain[:n]) {
			t.Errorf("%d bytes back: %X", n, back)
		}
	}
	bad := cbc(block, iv, make([]byte, size))
	c.sw("002A8084"+lv(hex.EncodeToString(bad))+"00", "6985")
}

func TestSecurityEnvironmentChecksItsObjects(t *testing.T) {
	for _, tt := range []struct{ command, want string }{
		{"002241B60780010481024D01", "9000"},
		{"002241B6088001048102 4D0100", "9000"},
		{"002241B6 0A 800104 81024D01 840100", "9000"},
		{"002241B6 04 81024D01", "6A81"},
		{"002241B6 03 800104", "6A81"},
		{"002241B6", "6A81"},
		{"002241B6 07 800103 81024D01", "6A81"},
		{"002241B6 08 80020004 81024D01", "6A81"},
		{"002241B6 06 800104 81014D", "6A81"},
		{"002241B6 07 800104 81024D99", "6A88"},
		{"002241B6 0A 800104 81024D01 840101", "6A81"},
		{"002241B8 0B 80010A 81024D01 83024D99", "6A88"},
		{"002241B8 0B 80010A 81024D01 83024D01", "9000"},
		{"002241B6 0A 800104 81024D01 880100", "6A80"},
		{"002241B6 06 800104 81024D", "6984"},
		{"002241B6 1A 800100 81024D01 8711" + strings.Repeat("00", 17), "6984"},
		{"002281B6 07 800104 81024D01", "6A81"},
		{"0022C1B6 07 800104 81024D01", "6A81"},
		{"0022F300", "9000"},
		{"0022F30001AA", "6A87"},
		{"0022F301", "6A81"},
	} {
		c := blank(t)
		c.create("29", "4D01", "0080", "000000", "0000")
		c.sw(tt.command, tt.want)
	}
}

func TestWithoutAnEnvironmentThereIsNoOperation(t *testing.T) {
	c := blank(t)
	c.create("29", "4D01", "0080", "000000", "0000")
	c.ok("00DA01A0" + lv(key16))
	for _, command := range []string{"002A9E9A01AA00", "002A808601AA00", "002A848001AA00", "002A840000", "0086000001AA00"} {
		c.sw(command, "6985")
	}
	c.ok(cipherEnvironment("81B8", "00", nil))
	c.ok("002A848010" + key16 + "00")
	c.ok("0022F300")
	c.sw("002A848010"+key16+"00", "6985")
	c.ok(cipherEnvironment("81B8", "00", nil))
	c.ok("00E40000") // the key's file
	c.sw("002A848010"+key16+"00", "6A88")
	c.sw("002A123401AA00", "6A86")
}

// wrapCard has a wrapping key in 4D01 and a target in 4D02.
func wrapCard(t *testing.T, wrapProp, targetProp string) tester {
	c := blank(t)
	c.create("29", "4D01", "0100", "000000", wrapProp)
	c.ok("00DA01A0" + lv(key32))
	c.create("29", "4D02", "0080", "000000", targetProp)
	c.ok("00DA01A0" + lv(key16))
	c.create("29", "4D03", "0080", "000000", "0000")
	return c
}

func wrapEnvironment(p1p2, alg, file, target string, iv []byte) string {
	body := "8001" + alg + "8102" + file + "8302" + target
	if iv != nil {
		body += "87" + lv(hex.EncodeToString(iv))
	}
	return "0022" + p1p2 + lv(body)
}

func TestWrapAndUnwrapWithAES(t *testing.T) {
	iv := unhex(t, key16)
	for alg, want := range map[string][]byte{
		"0A": cbc(blockCipher(t, "29", key32), iv, unhex(t, key16)),
		"8A": cbc(blockCipher(t, "29", key32), iv, append(unhex(t, key16), bytes.Repeat([]byte{16}, 16)...)),
	} {
		c := wrapCard(t, "0000", "0008")
		c.ok(wrapEnvironment("81B8", alg, "4D01", "4D02", iv))
		wrapped := c.ok("002A840000")
		if !bytes.Equal(unhex(t, wrapped), want) {
			t.Errorf("wrapped %s, want %X", wrapped, want)
		}
		c.ok(wrapEnvironment("41B8", alg, "4D01", "4D03", iv))
		if got := c.ok("002A0084" + lv(wrapped) + "00"); got != "" {
			t.Errorf("unwrap answered %s", got)
		}
		c.sw("002A0084"+lv(wrapped), "6984") // the file has its key now
		same(t, c, "4D02", "4D03")
	}
}

// same checks that two key files do the same.
func same(t *testing.T, c tester, a, b string) {
	t.Helper()
	var out [2]string
	for i, id := range []string{a, b} {
		c.ok("002281B8078001008102" + id)
		out[i] = c.ok("002A848010" + key16 + "00")
	}
	if out[0] != out[1] {
		t.Errorf("%s and %s hold different keys", a, b)
	}
}

func TestOnlyExtractableKeysAreWrapped(t *testing.T) {
	for _, tt := range []struct{ wrapProp, targetProp, want string }{
		{"0000", "0000", "6985"},
		{"0000", "0008", "9000"},
		{"0000", "0808", "6985"}, // wants a trusted key
		{"0400", "0808", "9000"},
		{"0400", "0800", "6985"},
	} {
		c := wrapCard(t, tt.wrapProp, tt.targetProp)
		c.ok(wrapEnvironment("81B8", "0A", "4D01", "4D02", nil))
		c.sw("002A840000", tt.want)
	}
	c := wrapCard(t, "0000", "0008")
	c.ok(wrapEnvironment("81B8", "0A", "4D01", "4D03", nil))
	c.sw("002A840000", "6985") // nothing in it
	c.ok(wrapEnvironment("81B8", "00", "4D01", "4D02", nil))
	c.sw("002A840000", "6985")
	c.ok(cipherEnvironment("81B8", "0A", nil))
	c.sw("002A840000", "6985") // no target
	c.create("22", "4B01", "0100", "000000", "0008")
	c.ok("00460000")
	c.ok(wrapEnvironment("81B8", "0A", "4D01", "4B01", nil))
	c.sw("002A840000", "6985") // no secret key
}

func TestUnwrapIntoOtherFiles(t *testing.T) {
	c := wrapCard(t, "0000", "0008")
	c.ok(wrapEnvironment("81B8", "0A", "4D01", "4D02", nil))
	wrapped := c.ok("002A840000")
	c.create("41", "4D04", "0080", "000000", "0009")
	c.ok(wrapEnvironment("41B8", "0A", "4D01", "4D04", nil))
	c.ok("002A0084" + lv(wrapped))
	c.ok("00A4000C024D04")
	if got := c.ok("00B0000010"); got != key16 {
		t.Errorf("generic secret %s", got)
	}
	c.create("29", "4D05", "0100", "000000", "0000")
	c.ok(wrapEnvironment("41B8", "0A", "4D01", "4D05", nil))
	c.sw("002A0084"+lv(wrapped), "6985") // too short for an AES-256 key
	c.create("41", "4D06", "0008", "000000", "0009")
	c.ok(wrapEnvironment("41B8", "0A", "4D01", "4D06", nil))
	c.sw("002A0084"+lv(wrapped), "6B00")
}

func TestUnwrapWithRSA(t *testing.T) {
	c := blank(t)
	pub := c.generateRSA(1024)
	c.create("29", "4D01", "0080", "000000", "0008")
	cryptogram, err := rsa.EncryptPKCS1v15(rand.Reader, pub, unhex(t, key16))
	if err != nil {
		t.Fatal(err)
	}
	c.ok(wrapEnvironment("41B8", "0A", "4B01", "4D01", nil))
	c.ok("002A0086" + lv("00"+hex.EncodeToString(cryptogram)))
	c.ok(cipherEnvironment("81B8", "00", nil))
	want := make([]byte, 16)
	blockCipher(t, "29", key16).Encrypt(want, unhex(t, key16))
	if got := unhex(t, c.ok("002A848010"+key16+"00")); !bytes.Equal(got, want) {
		t.Error("another key came out")
	}
	// And back: wrapped with the public key, unwrapped with the private one.
	c.ok(wrapEnvironment("81B8", "0A", "4B01", "4D01", nil))
	wrapped := c.ok("002A840000")
	c.create("29", "4D02", "0080", "000000", "0000")
	c.ok(wrapEnvironment("41B8", "0A", "4B01", "4D02", nil))
	c.ok("002A0086" + lv("81"+wrapped[:128]))
	c.ok("002A0086" + lv("82"+wrapped[128:]))
	same(t, c, "4D01", "4D02")
}
