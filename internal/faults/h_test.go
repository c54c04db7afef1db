package faults_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1"
	"crypto/x509"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/soft/wycheproof"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// shapes are blocks of n bytes of which each has another fault; every one but
// the first is no padding of a message.
func shapes(n int) map[string][]byte {
	block := func(change func(b []byte)) []byte {
		b := bytes.Repeat([]byte{0xA5}, n)
		b[0], b[1], b[n-17] = 0, 2, 0
		change(b)
		return b
	}
	return map[string][]byte{
		"good":                                   block(func([]byte) {}),
		"first byte 1":                           block(func(b []byte) { b[0] = 1 }),
		"type 0":                                 block(func(b []byte) { b[1] = 0 }),
		"type 1":                                 block(func(b []byte) { b[1] = 1 }),
		"type 3":                                 block(func(b []byte) { b[1] = 3 }),
		"type and message swapped":               block(func(b []byte) { b[0], b[1] = 2, 0 }),
		"no separator":                           block(func(b []byte) { b[n-17] = 1 }),
		"no padding at all":                      block(func(b []byte) { b[2] = 0 }),
		"seven bytes of padding":                 block(func(b []byte) { b[9] = 0 }),
		"separator in the middle of the padding": block(func(b []byte) { b[5] = 0 }),
		"type alone":                             block(func(b []byte) { clear(b[2:]) }),
		"zeros but for the type":                 block(func(b []byte) { clear(b); b[1] = 2 }),
	}
}

// H1
func paddingOracle(t *testing.T) {
	r, s, key, pub := rsaRig(t)
	n := pub.Size()
	refused := ""
	for name, b := range shapes(n) {
		sealed := rawRSA(pub, b)
		r.wire.forget()
		first := must(s.Decrypt(r.ctx, mechanism.RSAPKCS{SessionKeyLen: 16}, key, sealed))(t)
		second := must(s.Decrypt(r.ctx, mechanism.RSAPKCS{SessionKeyLen: 16}, key, sealed))(t)
		if name == "good" {
			if !bytes.Equal(first, b[n-16:]) {
				t.Errorf("the key is %X", first)
			}
			continue
		}
		if len(first) != 16 || len(second) != 16 || bytes.Contains(b, first) {
			t.Errorf("%s: %X and %X", name, first, second)
		}
		// Who asks for a message gets one error, whatever is wrong.
		_, err := s.Decrypt(r.ctx, mechanism.RSAPKCS{}, key, sealed)
		r.code(err, ckr.EncryptedDataInvalid)
		if text := fmt.Sprint(err); refused == "" {
			refused = text
		} else if text != refused {
			t.Errorf("%s: %q, another one %q", name, text, refused)
		}
	}
	// A message of another length is as good as none to who asks for a key.
	other := shapes(n)["good"]
	other[n-20] = 0
	if got := must(s.Decrypt(r.ctx, mechanism.RSAPKCS{SessionKeyLen: 16}, key, rawRSA(pub, other)))(t); bytes.Contains(other, got) {
		t.Errorf("a message of 19 bytes gives the key %X", got)
	}
	wycheproofPKCS1(t)
}

// wycheproofPKCS1 has a card decrypt what Project Wycheproof has made of PKCS
// #1 v1.5 padding. The virtual card does it in the way of real ones, by the
// block; the driver takes the padding off.
func wycheproofPKCS1(t *testing.T) {
	var r *rig
	var s *session.Session
	var key *object.Object
	var modulus *big.Int
	var cases []wycheproof.Case
	for _, bits := range []string{"2048", "3072", "4096"}[:times(1, 3)] {
		cases = append(cases, wycheproof.Cases(t, "rsa_pkcs1_"+bits+"_test")...)
	}
	have := ""
	refused := make(map[string]int)
	for _, c := range cases {
		if der := c.Text("privateKeyPkcs8"); der != have {
			have = der
			private := must(x509.ParsePKCS8PrivateKey(c.Bytes("privateKeyPkcs8")))(t).(*rsa.PrivateKey)
			r = newRig(t)
			s = r.user()
			r.importRSA(s, private)
			modulus = private.N
			key = r.key(s, "rsa")
		}
		got, err := s.Decrypt(r.ctx, mechanism.RSAPKCS{}, key, c.Bytes("ct"))
		switch {
		case c.Valid():
			if err != nil || !bytes.Equal(got, c.Bytes("msg")) {
				t.Errorf("%s: %X, %v", c, got, err)
			}
		case err == nil:
			t.Errorf("%s: decrypted to %X", c, got)
		case new(big.Int).SetBytes(c.Bytes("ct")).Cmp(modulus) >= 0, len(c.Bytes("ct")) != len(modulus.Bytes()):
			// No block comes of it, as everybody can see beforehand.
			r.code(err, ckr.EncryptedDataLenRange, ckr.EncryptedDataInvalid)
		default:
			r.code(err, ckr.EncryptedDataInvalid)
			refused[err.Error()]++
		}
	}
	if len(refused) != 1 {
		t.Errorf("paddings are refused in different words: %v", refused)
	}
	t.Logf("%d cases of Wycheproof", len(cases))
}

// H2
func unsupportedMechanisms(t *testing.T) {
	r := newRig(t)
	s := r.user()
	key := r.key(s, "k")
	offered := must(s.Mechanisms(r.ctx, key))(t)
	for raw := range mechanism.Type(0x4100) {
		if _, ok := offered[raw]; ok {
			continue
		}
		if out, err := s.Sign(r.ctx, mechanism.Raw{T: raw}, key, make([]byte, 32)); err == nil {
			t.Errorf("%v signs: %d bytes", raw, len(out))
		}
	}
}

// H3
func staleBuffers(t *testing.T) {
	r := newRig(t)
	s := r.user()
	canary := bytes.Repeat([]byte("CANARY!!"), 32)
	secret := must(s.Create(r.ctx, data("canary", true, object.AttrValue.Is(canary))...))(t)
	for range 5 {
		must(object.Get(r.ctx, secret, object.AttrValue))(t)
		random := must(s.Random(r.ctx, 300))(t)
		sig := must(s.Sign(r.ctx, mechanism.ECDSA{}, r.key(s, "k"), make([]byte, 32)))(t)
		small := must(object.Get(r.ctx, r.one(s, "public"), object.AttrValue))(t)
		for _, out := range [][]byte{random, sig, small, random[:cap(random)], sig[:cap(sig)], small[:cap(small)]} {
			if bytes.Contains(out, canary[:8]) {
				t.Errorf("%q", out)
			}
		}
	}
}

// H4
func secretsInLogs(t *testing.T) {
	const so, user, wrong, key = "SOsecr3t", "usrPIN12", "badPIN56", "keykeykeykeykey!"
	var mu sync.Mutex
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(writer(func(b []byte) { mu.Lock(); defer mu.Unlock(); log.Write(b) }), &slog.HandlerOptions{Level: slog.LevelDebug}))
	card := virtual.New()
	r := strangerOn(t, card, virtual.Single(card), cryptoki.WithLogger(logger))
	r.look()
	show := func(values ...any) {
		for _, v := range values {
			fmt.Fprintf(&log, "%v %+v %#v %q %x\n", v, v, v, v, v)
		}
	}
	r.ok(r.token.Initialize(r.ctx, pin(so), "secrets"))
	s := r.open(true)
	show(s.Login(r.ctx, token.SO, pin(wrong)), pin(user))
	r.ok(s.Login(r.ctx, token.SO, pin(so)))
	r.ok(s.InitPIN(r.ctx, pin(user)))
	r.ok(s.Logout(r.ctx))
	r.ok(s.Login(r.ctx, token.User, pin(user)))
	o, err := s.Create(r.ctx, object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES), object.AttrToken.Is(true), object.AttrValue.Is([]byte(key)))
	show(o, err, s, r.token)
	r.answers(func(command, answer []byte) []byte {
		if command[1] == 0x24 {
			return []byte{0x6F, 0x00}
		}
		return answer
	})
	show(s.SetPIN(r.ctx, pin(user), pin(wrong)))
	if log.Len() < 1000 {
		t.Fatal("nothing was logged")
	}
	for _, secret := range []string{so, user, wrong, key} {
		for _, form := range forms(secret) {
			if strings.Contains(strings.ToLower(log.String()), strings.ToLower(form)) {
				t.Errorf("%q is in the log or in an error, as %q", secret, form)
			}
		}
	}
}

type writer func(b []byte)

func (w writer) Write(b []byte) (int, error) { w(b); return len(b), nil }

// H5
func memoryAfterLogout(t *testing.T) {
	r := newRig(t)
	secret := []byte(rand.Text()[:8])
	needle := bytes.Clone(secret)
	mask(needle) // so that the dump does not hold what looks for it
	s := r.open(true)
	r.ok(s.Login(r.ctx, token.SO, pin(soPIN)))
	p := token.NewPIN(secret)
	r.ok(s.InitPIN(r.ctx, p))
	r.ok(s.Logout(r.ctx))
	r.ok(s.Login(r.ctx, token.User, p))
	p.Clear()
	clear(secret)
	r.ok(r.sign(s, r.key(s, "k")))
	during := copies(t, needle)
	r.ok(s.Logout(r.ctx))
	// The card has the PIN, too, as every card has: until it gets another.
	r.ok(s.Login(r.ctx, token.SO, pin(soPIN)))
	r.ok(s.InitPIN(r.ctx, pin(newPIN)))
	r.wire.forget() // the test's own record
	after := copies(t, needle)
	if during < 2 || after > 0 {
		t.Errorf("%d copies of the PIN were on the heap during the login, %d are after it", during, after)
	}
}

func mask(b []byte) {
	for i := range b {
		b[i] ^= 0xFF
	}
}

// copies counts how often something that is given masked is on the heap.
func copies(t *testing.T, needle []byte) int {
	t.Helper()
	dump := heap(t)
	mask(needle)
	defer mask(needle)
	return bytes.Count(dump, needle)
}

// heap returns a dump of the heap.
func heap(t *testing.T) []byte {
	t.Helper()
	runtime.GC()
	runtime.GC()
	path := filepath.Join(t.TempDir(), "heap")
	f := must(os.Create(path))(t)
	defer f.Close()
	debug.WriteHeapDump(f.Fd())
	return must(os.ReadFile(path))(t)
}

// H6
func signerMisuse(t *testing.T) {
	r, s, rsaKey, pub := rsaRig(t)
	ec := must(s.Key(r.ctx, r.key(s, "k")))(t)
	rk := must(s.Key(r.ctx, rsaKey))(t)
	r.wire.forget()
	for name, opts := range map[string]crypto.SignerOpts{"SHA-256": crypto.SHA256, "unknown": crypto.Hash(99), "PSS": &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: -7}} {
		for _, n := range []int{0, 1, 31, 33, 4096} {
			for _, key := range []session.Key{ec, rk} {
				if sig, err := key.Sign(nil, make([]byte, n), opts); err == nil {
					t.Errorf("%s: %d bytes are signed: %X", name, n, sig)
				}
			}
		}
	}
	if n := r.wire.count(0x2A); n > 0 {
		t.Errorf("%d uses were sent", n)
	}
	for _, opts := range []crypto.SignerOpts{nil, crypto.Hash(0)} {
		func() {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("%v: %v\n%s", opts, p, debug.Stack())
				}
			}()
			rk.Sign(nil, make([]byte, 32), opts)
			ec.Sign(nil, make([]byte, 32), opts)
		}()
	}
	digest := make([]byte, 32)
	for _, salt := range []int{rsa.PSSSaltLengthAuto, rsa.PSSSaltLengthEqualsHash, 20} {
		opts := &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: salt}
		sig := must(rk.Sign(nil, digest, opts))(t)
		r.ok(rsa.VerifyPSS(pub, crypto.SHA256, digest, sig, opts))
	}
}

// H7
func weakPoints(t *testing.T) {
	r := newRig(t)
	s := r.user()
	key := r.pair(s, "dh", object.AttrDerive.Is(true))
	r.wire.forget()
	size := 32
	bad := map[string][]byte{
		"infinity": {0}, "not on the curve": append([]byte{4}, bytes.Repeat([]byte{1}, 2*size)...), "too short": {4, 1, 2}, "empty": {},
		"too large": append([]byte{4}, bytes.Repeat([]byte{0xFF}, 2*size)...), "zeros": append([]byte{4}, make([]byte, 2*size)...),
	}
	for name, point := range bad {
		_, err := s.Derive(r.ctx, mechanism.ECDH{Public: point}, key, object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyGenericSecret), object.AttrValueLen.Is(32))
		if err == nil {
			t.Errorf("%s: a key", name)
		}
		_, err = s.Create(r.ctx, object.AttrClass.Is(object.ClassPublicKey), object.AttrKeyType.Is(object.KeyEC), object.AttrECParams.Is(p256), object.AttrECPoint.Is(object.EncodePoint(point)))
		if err == nil {
			t.Errorf("%s: a public key", name)
		}
	}
	invalid := 0
	for _, c := range wycheproof.Cases(t, "ecdh_secp256r1_ecpoint_test") {
		if c.Valid() || c.Acceptable() {
			continue
		}
		invalid++
		_, err := s.Derive(r.ctx, mechanism.ECDH{Public: c.Bytes("public")}, key, object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyGenericSecret), object.AttrValueLen.Is(32))
		if err == nil {
			t.Errorf("%s: a key", c)
		}
	}
	t.Logf("%d points of Wycheproof", invalid)
	for _, ins := range []byte{0x2A, 0x86, 0x87} {
		if n := r.wire.count(ins); n > 0 {
			t.Errorf("%d commands %02X were sent", n, ins)
		}
	}
	weakKeys(r, s)
	_, err := s.Create(r.ctx, object.AttrClass.Is(object.ClassPublicKey), object.AttrKeyType.Is(object.KeyRSA), object.AttrModulus.Is(new(big.Int).SetBytes(bytes.Repeat([]byte{0xC1}, 256))), object.AttrPublicExponent.Is(big.NewInt(1)))
	if err == nil {
		t.Error("an RSA key with exponent 1")
	}
}

// weakKeys tries public keys that no honest party has.
func weakKeys(r *rig, s *session.Session) {
	r.Helper()
	public := func(kind object.KeyType, more ...object.Attribute) error {
		_, err := s.Create(r.ctx, object.Template{object.AttrClass.Is(object.ClassPublicKey), object.AttrKeyType.Is(kind), object.AttrVerify.Is(true)}.With(more...)...)
		return err
	}
	ed25519, _ := object.CurveByName("edwards25519")
	x25519, _ := object.CurveByName("curve25519")
	modulus := func(change func(n *big.Int)) *big.Int {
		n := new(big.Int).Set(theRSAKey().N)
		change(n)
		return n
	}
	for name, err := range map[string]error{
		"Ed25519, the neutral element": public(object.KeyECEdwards, object.AttrECParams.Is(ed25519.Params()), object.AttrECPoint.Is(object.EncodePoint(append([]byte{1}, make([]byte, 31)...)))),
		"Ed25519, of order 4":          public(object.KeyECEdwards, object.AttrECParams.Is(ed25519.Params()), object.AttrECPoint.Is(object.EncodePoint(make([]byte, 32)))),
		"Ed25519, too short":           public(object.KeyECEdwards, object.AttrECParams.Is(ed25519.Params()), object.AttrECPoint.Is(object.EncodePoint(make([]byte, 31)))),
		"X25519, too short":            public(object.KeyECMontgomery, object.AttrECParams.Is(x25519.Params()), object.AttrECPoint.Is(object.EncodePoint(make([]byte, 31)))),
		"RSA, an even exponent":        public(object.KeyRSA, object.AttrModulus.Is(theRSAKey().N), object.AttrPublicExponent.Is(big.NewInt(65536))),
		"RSA, exponent 0":              public(object.KeyRSA, object.AttrModulus.Is(theRSAKey().N), object.AttrPublicExponent.Is(big.NewInt(0))),
		"RSA, an even modulus":         public(object.KeyRSA, object.AttrModulus.Is(modulus(func(n *big.Int) { n.SetBit(n, 0, 0) })), object.AttrPublicExponent.Is(big.NewInt(65537))),
		"RSA, 512 bits":                public(object.KeyRSA, object.AttrModulus.Is(modulus(func(n *big.Int) { n.Rsh(n, 1536).SetBit(n, 0, 1) })), object.AttrPublicExponent.Is(big.NewInt(65537))),
	} {
		if err == nil {
			r.Errorf("%s: a public key", name)
		}
	}
}

// fipsChild misuses mechanisms in software; a panic ends it.
func fipsChild() int {
	ctx := context.Background()
	card := virtual.New()
	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(virtual.Single(card)))
	if err != nil {
		return 10
	}
	defer m.Close()
	slots, err := m.Slots(ctx, true)
	if err != nil || len(slots) != 1 {
		return 11
	}
	tok, err := slots[0].Token(ctx)
	if err != nil || tok.Initialize(ctx, pin(soPIN), "fips") != nil {
		return 12
	}
	s, err := session.Open(ctx, tok, session.ReadWrite())
	if err != nil {
		return 13
	}
	for _, h := range []crypto.Hash{0, crypto.MD5, crypto.SHA1, crypto.SHA256, crypto.Hash(77)} {
		for _, n := range []int{1, 8, 16, 32} {
			key, err := s.Create(ctx, object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyGenericSecret), object.AttrPrivate.Is(false),
				object.AttrValue.Is(make([]byte, n)), object.AttrSign.Is(true), object.AttrDerive.Is(true))
			if err != nil {
				fmt.Println(ckr.Of(err))
				continue
			}
			s.Sign(ctx, mechanism.HMAC{Hash: h}, key, []byte("x"))
			s.Derive(ctx, mechanism.HashDerive{Hash: h}, key)
		}
		pub, priv, err := s.GenerateKeyPair(ctx, mechanism.RSAKeyPairGen{}, object.Template{object.AttrModulusBits.Is(2048)}, object.Template{object.AttrPrivate.Is(false)})
		if err != nil {
			continue
		}
		for _, use := range []mechanism.Mechanism{mechanism.RSAPKCS{Hash: h}, mechanism.RSAPSS{Hash: h}, mechanism.RSAX509{}} {
			s.Sign(ctx, use, priv, make([]byte, 32))
		}
		for _, use := range []mechanism.Mechanism{mechanism.RSAOAEP{Hash: h}, mechanism.RSAPKCS{}} {
			s.Encrypt(ctx, use, pub, make([]byte, 16))
		}
	}
	return 0
}

// inFIPS are the cases that are run once more where FIPS 140 is on, or only
// that is allowed: all but those that have children of their own, look at the
// memory, take long, count on mechanisms that are not of FIPS 140, or have a clock of their own, in which the generator of the
// mode finds no randomness.
const inFIPS = "^TestFaults$/^(A.*|B.*|C([1-689]|1[013456])|D([1-9]|1[01])|E[1-59]|F([1-5]|10)|G4|H[2-4679])$"

// H8
func fipsMode(t *testing.T) {
	for _, mode := range []string{"on", "only"} { // all the others are "off"
		cmd := exec.Command(os.Args[0], "-test.run="+inFIPS, "-test.v")
		cmd.Env = append(os.Environ(), "GODEBUG=fips140="+mode)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", mode, err, out)
		}
		if n := bytes.Count(out, []byte("    --- PASS: TestFaults/")); n < 70 {
			t.Errorf("%s: %d cases were run", mode, n)
		}
		if code := run(t, "fips", "", "GODEBUG=fips140="+mode); code != 0 {
			t.Errorf("%s: exit code %d", mode, code)
		}
	}
}

// H9
func brokenRandom(t *testing.T) {
	r := newRig(t)
	s := r.user()
	r.answers(func(command, answer []byte) []byte {
		if command[1] == 0x84 {
			return append(make([]byte, len(answer)-2), 0x90, 0x00)
		}
		return answer
	})
	values := map[string]bool{}
	for range 4 {
		o := must(s.GenerateKey(r.ctx, mechanism.AESKeyGen{}, object.AttrValueLen.Is(16), object.AttrSensitive.Is(false), object.AttrExtractable.Is(true)))(t)
		values[string(must(object.Get(r.ctx, o, object.AttrValue))(t))] = true
	}
	if len(values) != 4 || values[string(make([]byte, 16))] {
		t.Errorf("%d different keys of 4", len(values))
	}
	for _, n := range []int{16, 32, 300} {
		out, err := s.Random(r.ctx, n)
		if err == nil && bytes.Equal(out, make([]byte, n)) {
			t.Errorf("%d zeros are random", n)
		}
	}
}
