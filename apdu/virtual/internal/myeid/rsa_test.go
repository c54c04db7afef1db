package myeid_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"testing"
)

// Environments for the key in file 4B01.
func environment(p1p2, alg string) string { return "0022" + p1p2 + "0A8001" + alg + "81024B01840100" }

// generated makes an RSA key in file 4B01 and returns its public key.
func (c tester) generateRSA(bits int) *rsa.PublicKey {
	c.Helper()
	c.create("11", "4B01", fmt.Sprintf("%04X", bits), "000000", "0000")
	c.ok("004600000730058103010001")
	return c.publicRSA()
}

func (c tester) publicRSA() *rsa.PublicKey {
	c.Helper()
	n, sw := c.send("00CA010100")
	for strings.HasPrefix(sw, "61") {
		var part string
		part, sw = c.send("00C00000" + sw[2:])
		n += part
	}
	e := c.ok("00CA010200")
	return &rsa.PublicKey{
		N: new(big.Int).SetBytes(unhex(c, n)),
		E: int(new(big.Int).SetBytes(unhex(c, e)).Int64()),
	}
}

func TestRSAGenerationAndUse(t *testing.T) {
	for _, bits := range []int{1024, 1536, 2048, 3072} {
		t.Run(fmt.Sprint(bits), func(t *testing.T) {
			c := blank(t)
			pub := c.generateRSA(bits)
			if pub.N.BitLen() != bits || pub.E != 65537 {
				t.Fatalf("a key of %d bits, exponent %d", pub.N.BitLen(), pub.E)
			}
			if got, want := c.ok("00CA010000"), fmt.Sprintf("92000018%04X", bits); got != want {
				t.Errorf("key information %s, want %s", got, want)
			}
			useRSA(t, c, pub)
		})
	}
}

// useRSA signs and decrypts in every way with the key in 4B01.
func useRSA(t *testing.T, c tester, pub *rsa.PublicKey) {
	t.Helper()
	k := pub.Size()
	digest := sha256.Sum256([]byte("text"))
	info := append(unhex(t, "3031300D060960864801650304020105000420"), digest[:]...)
	padded := append(append([]byte{0, 1}, bytes.Repeat([]byte{0xFF}, k-len(info)-3)...), append([]byte{0}, info...)...)

	c.ok(environment("41B6", "02"))
	signature, sw := c.long("002A9E9A", info, "00")
	if sw != "9000" || rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest[:], signature) != nil {
		t.Errorf("PKCS #1 by the card: %s, %d bytes", sw, len(signature))
	}
	c.ok(environment("41B6", "00"))
	same, sw := c.long("002A9E9A", padded, "00")
	if sw != "9000" || !bytes.Equal(same, signature) {
		t.Errorf("PKCS #1 by the client: %s", sw)
	}
	hash := sha1.Sum([]byte("text"))
	c.ok(environment("41B6", "12"))
	signature, sw = c.long("002A9E9A", hash[:], "00")
	if sw != "9000" || rsa.VerifyPKCS1v15(pub, crypto.SHA1, hash[:], signature) != nil {
		t.Errorf("PKCS #1 with SHA-1 by the card: %s", sw)
	}

	c.ok(environment("41B6", "00"))
	for _, m := range rawBlocks(t, pub) {
		s, sw := c.long("002A9E9A", m, "00")
		back := new(big.Int).Exp(new(big.Int).SetBytes(s), big.NewInt(int64(pub.E)), pub.N)
		if sw != "9000" || len(s) != k || back.Cmp(new(big.Int).SetBytes(m)) != 0 {
			t.Errorf("raw operation on %X: %s", m[:4], sw)
		}
	}
	decryptRSA(t, c, pub)
}

// rawBlocks returns blocks of many kinds, numbers below the modulus.
func rawBlocks(t *testing.T, pub *rsa.PublicKey) (blocks [][]byte) {
	k := pub.Size()
	for _, head := range []string{"", "00", "0001", "0001FFFFFFFFFFFFFF00", "0001FFFFFFFFFFFFFFFF00", "0001FFFFFFFFFFFFFFFFFE", "0002FFFFFFFFFFFFFFFF00"} {
		m := make([]byte, k)
		rand.Read(m)
		m[0] = 0
		copy(m, unhex(t, head))
		blocks = append(blocks, m)
	}
	all := bytes.Repeat([]byte{0xFF}, k)
	all[0], all[1] = 0, 1
	most := new(big.Int).Sub(pub.N, big.NewInt(1)).Bytes()
	return append(blocks, make([]byte, k), all, most)
}

func decryptRSA(t *testing.T, c tester, pub *rsa.PublicKey) {
	t.Helper()
	cryptogram, err := rsa.EncryptPKCS1v15(rand.Reader, pub, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	c.ok(environment("41B8", "02"))
	indicated := append([]byte{0}, cryptogram...)
	if plain, sw := c.long("002A8086", indicated, "00"); sw != "9000" || string(plain) != "secret" {
		t.Errorf("decrypted %q, %s", plain, sw)
	}
	if plain, sw := c.long("002A8084", cryptogram, "00"); sw != "9000" || string(plain) != "secret" {
		t.Errorf("decrypted without indicator %q, %s", plain, sw)
	}
	c.sw("002A80860500112233 44 00", "6700")
	c.sw("002A80860183 00", "6984")
	c.sw("002A80860182 00", "6985")
	if half := len(cryptogram) / 2; half <= 254 {
		c.ok("002A8086" + lv("81"+hex.EncodeToString(cryptogram[:half])))
		if plain := c.ok("002A8086" + lv("82"+hex.EncodeToString(cryptogram[half:])) + "00"); plain != "736563726574" {
			t.Errorf("decrypted in halves %s", plain)
		}
	}
	bad := bytes.Clone(indicated)
	bad[len(bad)/2] ^= 1
	if _, sw := c.long("002A8086", bad, "00"); sw != "6985" {
		t.Errorf("wrong padding: %s, want 6985", sw)
	}
	c.ok(environment("41B8", "00"))
	plain, sw := c.long("002A8086", indicated, "00")
	if sw != "9000" || !bytes.HasSuffix(plain, []byte("\x00secret")) || plain[1] != 2 {
		t.Errorf("raw decryption: %s", sw)
	}
}

func TestRSAInputsOfWrongLength(t *testing.T) {
	c := blank(t)
	c.generateRSA(1024)
	c.ok(environment("41B6", "00"))
	c.sw("002A9E9A"+lv(strings.Repeat("00", 127))+"00", "6700")
	c.sw("002A9E9A"+lv(strings.Repeat("00", 129))+"00", "6700")
	c.sw("002A9E9A"+lv(strings.Repeat("FF", 128))+"00", "6A80") // beyond the modulus
	c.ok(environment("41B6", "02"))
	c.ok("002A9E9A" + lv(strings.Repeat("00", 117)) + "00")
	c.sw("002A9E9A"+lv(strings.Repeat("00", 118))+"00", "6700")
	c.sw("002A9E9A00", "6700")
	c.ok(environment("41B6", "12"))
	c.sw("002A9E9A"+lv(strings.Repeat("00", 19))+"00", "6700")
	c.ok(environment("41B6", "04"))
	c.sw("002A9E9A"+lv(strings.Repeat("00", 20))+"00", "6985")
}

// parts is an RSA key as a client imports it: P2 and number.
func parts(key *rsa.PrivateKey) map[string]*big.Int {
	key.Precompute()
	return map[string]*big.Int{
		"83": key.Primes[0], "84": key.Primes[1], "85": key.Precomputed.Dp, "86": key.Precomputed.Dq,
		"87": key.Precomputed.Qinv, "80": key.N, "81": big.NewInt(int64(key.E)), "82": key.D,
	}
}

func (c tester) importPart(p2 string, n *big.Int) string {
	c.Helper()
	b := n.Bytes()
	if p2 != "81" && b[0] != 0 {
		b = append([]byte{0}, b...)
	}
	_, sw := c.long("00DA01"+p2, b, "")
	return sw
}

func TestRSAImport(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, order := range []string{
		"83 84 85 86 87 80 81", // as OpenSC has it
		"81 80 87 86 85 84 83",
		"83 84 81 85 86 87 80 82",
		"81 83 84",
	} {
		t.Run(order, func(t *testing.T) {
			c := blank(t)
			c.create("11", "4B01", "0800", "000000", "0000")
			for p2 := range strings.FieldsSeq(order) {
				if sw := c.importPart(p2, parts(key)[p2]); sw != "9000" {
					t.Fatalf("part %s: %s", p2, sw)
				}
				if sw := c.importPart(p2, parts(key)[p2]); sw != "6984" {
					t.Errorf("part %s again: %s, want 6984", p2, sw)
				}
			}
			if pub := c.publicRSA(); !pub.Equal(&key.PublicKey) {
				t.Fatal("another public key")
			}
			if got := c.ok("00A40000024B0100"); !strings.Contains(got, "85020100") {
				t.Errorf("not marked as valid: %s", got)
			}
			useRSA(t, c, &key.PublicKey)
		})
	}
}

func TestRSAImportWithTheSmallerPrimeFirst(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		c := blank(t)
		c.create("11", "4B01", "0400", "000000", "0000")
		for _, p2 := range []string{"83", "84", "81"} {
			if sw := c.importPart(p2, parts(key)[p2]); sw != "9000" {
				t.Fatalf("part %s: %s", p2, sw)
			}
		}
		useRSA(t, c, &key.PublicKey)
		key.Primes[0], key.Primes[1] = key.Primes[1], key.Primes[0]
		key.Precomputed = rsa.PrecomputedValues{}
	}
}

func TestRSAPartsThatDoNotFitAreRefused(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	one := big.NewInt(1)
	for _, tt := range []struct {
		name, p2 string
		value    *big.Int
	}{
		{"p is no prime", "83", new(big.Int).Sub(key.Primes[0], one)},
		{"q is zero", "84", new(big.Int)},
		{"both primes are the same", "84", key.Primes[0]},
		{"exponent is even", "81", big.NewInt(65536)},
		{"exponent is one", "81", one},
		{"dP is another", "85", new(big.Int).Add(key.Precomputed.Dp, one)},
		{"qInv is another", "87", one},
		{"modulus is another", "80", new(big.Int).Sub(key.N, one)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := blank(t)
			c.create("11", "4B01", "0400", "000000", "0000")
			refused := false
			for _, p2 := range []string{"83", "84", "85", "86", "87", "80", "81"} {
				value := parts(key)[p2]
				if p2 == tt.p2 {
					value = tt.value
				}
				b := value.FillBytes(make([]byte, max(1, (value.BitLen()+7)/8)))
				_, sw := c.long("00DA01"+p2, b, "")
				refused = refused || sw == "6984"
			}
			if !refused {
				t.Error("every part was taken")
			}
			c.sw("00CA010100", "6A88")
			c.ok(environment("41B6", "02"))
			c.sw("002A9E9A"+lv("00")+"00", "6985")
		})
	}
	c := blank(t)
	c.create("11", "4B01", "0400", "000000", "0000")
	c.sw("00DA0183"+lv(strings.Repeat("01", 66)), "6700")
	c.sw("00DA0190"+lv("01"), "6A88")
	c.sw("00DA01A0"+lv("01"), "6A88")
}

func TestAKeyIsGeneratedOnlyOnce(t *testing.T) {
	c := blank(t)
	c.create("11", "4B01", "0400", "000000", "0000")
	c.sw("0046000003300181", "6984")
	c.sw("0046000007300581030100 03", "6984")
	c.sw("00460100", "6A86")
	modulus := c.ok("004600000730050203010001 80")
	if got := c.ok("00CA010100"); got != modulus {
		t.Error("GENERATE answered another modulus than GET DATA")
	}
	c.sw("00460000", "6984")
	c.sw("00DA0183"+lv("01"), "6984")
	if got := c.ok("00A40000024B0100"); !strings.Contains(got, "85020300") {
		t.Errorf("not marked as valid and generated: %s", got)
	}
	c.ok("00A4000C023F00")
	c.sw("00460000", "6986")
	c.create("29", "4D01", "0080", "000000", "0000")
	c.sw("00460000", "6985")
}
