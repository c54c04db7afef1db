package virtual_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

// history is the order in which the transcripts were recorded.
var history = []string{
	"card-name", "create-pkcs15", "store-pin", "finalize",
	"generate-rsa2048", "generate-rsa2048-dec", "generate-p256", "write-cert-1", "write-cert-3",
	"list-objects-cold", "list-objects-warm", "pkcs15-dump",
	"login-list", "sign-rsa2048", "sign-p256", "decrypt-rsa2048", "test",
	"wrong-pin", "change-pin", "change-pin-back",
	"block-pin-try1", "block-pin-try2", "block-pin-try3", "unblock-pin", "list-end",
}

type transcript struct {
	resets    map[int]bool
	exchanges []exchange
}

type exchange struct{ c, r []byte }

// TestOsEIDTranscripts replays the whole recorded history of a card. What
// depends on its keys cannot come out as recorded, since the virtual card has
// others, nor what is random: challenges are checked for their length, public
// keys for their form, signatures against the
// virtual card's own public key, and cryptograms are made anew so that they
// decipher to what was recorded. No exchange is left out.
func TestOsEIDTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/oseid/*.jsonl")
	if err != nil || len(files) != len(history) {
		t.Fatalf("there are %d transcripts, the history has %d", len(files), len(history))
	}
	card := virtual.New(virtual.As(virtual.OsEID452()))
	p := virtual.Single(card)
	connection, err := p.Connect(t.Context(), "Virtual 00")
	if err != nil {
		t.Fatal(err)
	}
	r := &replayer{t: t, card: connection, rsa: map[string]*rsa.PublicKey{}, ec: map[string]*ecdsa.PublicKey{}}
	for _, name := range history {
		s := readTranscript(t, filepath.Join("testdata/oseid", "opensc-"+name+".jsonl"))
		for i := 0; i < len(s.exchanges); {
			if s.resets[i] {
				if err := p.Reset("Virtual 00"); err != nil {
					t.Fatal(err)
				}
				r.expectReset()
			}
			n := r.step(name, i, s.exchanges[i:])
			i += n
		}
	}
}

func readTranscript(t *testing.T, file string) transcript {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var s transcript
	lines := bufio.NewScanner(f)
	for first := true; lines.Scan(); first = false {
		var line struct {
			C, R   string
			Resets []int `json:"resets_before_exchange"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if first {
			s.resets = make(map[int]bool)
			for _, n := range line.Resets {
				s.resets[n] = true
			}
			continue
		}
		s.exchanges = append(s.exchanges, exchange{unhex(t, line.C), unhex(t, line.R)})
	}
	if lines.Err() != nil || len(s.exchanges) == 0 {
		t.Fatalf("%s: %v", file, lines.Err())
	}
	return s
}

// replayer keeps track of the keys and of the environment that is set.
type replayer struct {
	t        *testing.T
	card     apdu.Transport
	selected string // FID
	key      string // FID in the security environment
	alg      byte
	rsa      map[string]*rsa.PublicKey
	ec       map[string]*ecdsa.PublicKey
}

func (r *replayer) transmit(c []byte) []byte {
	r.t.Helper()
	answer, err := r.card.Transmit(r.t.Context(), c)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer
}

func (r *replayer) expectReset() {
	r.t.Helper()
	if _, err := r.card.Transmit(r.t.Context(), []byte{0, 0x20, 0, 1}); err == nil {
		r.t.Fatal("a reset went unnoticed")
	}
}

// step replays the next command, or both parts of one, and returns how many
// exchanges those were.
func (r *replayer) step(name string, at int, next []exchange) int {
	r.t.Helper()
	c, want := next[0].c, next[0].r
	switch {
	case c[1] == 0xA4 && len(c) >= 7:
		r.selected = hex.EncodeToString(c[5:][int(c[4])-2 : int(c[4])])
	case c[1] == 0x22:
		r.alg, r.key = c[7], hex.EncodeToString(c[10:12])
	case bytes.HasPrefix(c, []byte{0x00, 0xCA, 0x01, 0x01}):
		r.modulus(name, at, c, want)
		return 1
	case bytes.HasPrefix(c, []byte{0x00, 0xCA, 0x01, 0x86}):
		r.point(name, at, c, want)
		return 1
	case c[1] == 0x84:
		r.sameShape(name, at, c, want, r.transmit(c))
		return 1
	case c[1] == 0x2A:
		return r.operation(name, at, next)
	}
	r.compare(name, at, c, want, r.transmit(c))
	return 1
}

func (r *replayer) compare(name string, at int, c, want, got []byte) {
	r.t.Helper()
	if !bytes.Equal(want, got) {
		r.t.Errorf("%s, exchange %d, %X\n%s", name, at, c, cmp.Diff(hex.EncodeToString(want), hex.EncodeToString(got)))
	}
}

// sameShape compares length and status word.
func (r *replayer) sameShape(name string, at int, c, want, got []byte) bool {
	r.t.Helper()
	if len(got) != len(want) || !bytes.Equal(got[len(got)-2:], want[len(want)-2:]) {
		r.t.Errorf("%s, exchange %d, %X: got %X, recorded %X", name, at, c, got, want)
		return false
	}
	return true
}

func (r *replayer) modulus(name string, at int, c, want []byte) {
	got := r.transmit(c)
	if r.sameShape(name, at, c, want, got) {
		r.rsa[r.selected] = &rsa.PublicKey{N: new(big.Int).SetBytes(got[:len(got)-2]), E: 65537}
	}
}

func (r *replayer) point(name string, at int, c, want []byte) {
	got := r.transmit(c)
	if !r.sameShape(name, at, c, want, got) {
		return
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), got[2:len(got)-2])
	if err != nil || !bytes.Equal(got[:2], want[:2]) {
		r.t.Errorf("%s, exchange %d: no public key: %X", name, at, got)
		return
	}
	r.ec[r.selected] = key
}

// operation replays a signature or a decipherment, in one part or in two.
func (r *replayer) operation(name string, at int, next []exchange) int {
	r.t.Helper()
	parts := 1
	if next[0].c[0] == 0x10 {
		parts = 2
	}
	var data []byte
	for _, x := range next[:parts] {
		data = append(data, x.c[5:5+int(x.c[4])]...)
	}
	want := next[parts-1].r
	signs := next[0].c[2] == 0x9E
	if !signs {
		r.encrypt(data[1:], want[:len(want)-2])
	}
	var got []byte
	for i, rest := 0, data; i < parts; i++ {
		c := bytes.Clone(next[i].c)
		rest = rest[copy(c[5:5+int(c[4])], rest):]
		got = r.transmit(c)
		if i < parts-1 {
			r.compare(name, at+i, c, next[i].r, got)
		}
	}
	if !signs {
		r.compare(name, at, next[0].c, want, got)
	} else if !r.signed(data, got[:len(got)-2]) || !bytes.HasSuffix(got, []byte{0x90, 0x00}) {
		r.t.Errorf("%s, exchange %d: wrong signature %X", name, at, got)
	}
	return parts
}

// encrypt replaces a cryptogram by one of the same content for the virtual
// card's key.
func (r *replayer) encrypt(cryptogram, plain []byte) {
	pub := r.rsa[r.key]
	if r.alg == 0x00 {
		raw(pub, plain).FillBytes(cryptogram)
		return
	}
	c, err := rsa.EncryptPKCS1v15(rand.Reader, pub, plain)
	if err != nil {
		r.t.Fatal(err)
	}
	copy(cryptogram, c)
}

func (r *replayer) signed(data, signature []byte) bool {
	if r.alg == 0x04 {
		return ecdsa.VerifyASN1(r.ec[r.key], data, signature)
	}
	pub := r.rsa[r.key]
	if r.alg == 0x02 {
		return rsa.VerifyPKCS1v15(pub, 0, data, signature) == nil
	}
	return raw(pub, signature).Cmp(new(big.Int).SetBytes(data)) == 0
}

func raw(pub *rsa.PublicKey, block []byte) *big.Int {
	return new(big.Int).Exp(new(big.Int).SetBytes(block), big.NewInt(int64(pub.E)), pub.N)
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
