package faults_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// H1
func paddingOracle(t *testing.T) {
	r, s, key, pub := rsaRig(t)
	n := pub.Size()
	block := func(change func(b []byte)) []byte {
		b := bytes.Repeat([]byte{0xA5}, n)
		b[0], b[1], b[n-17] = 0, 2, 0
		change(b)
		return b
	}
	for name, b := range map[string][]byte{
		"first byte": block(func(b []byte) { b[0] = 1 }), "type": block(func(b []byte) { b[1] = 1 }), "no end": block(func(b []byte) { b[n-17] = 1 }),
		"short padding": block(func(b []byte) { b[5] = 0 }), "other length": block(func(b []byte) { b[n-20] = 0 }),
	} {
		m := rawRSA(pub, b)
		first := must(s.Decrypt(r.ctx, mechanism.RSAPKCS{SessionKeyLen: 16}, key, m))(t)
		second := must(s.Decrypt(r.ctx, mechanism.RSAPKCS{SessionKeyLen: 16}, key, m))(t)
		if len(first) != 16 || len(second) != 16 || bytes.Contains(b, first) {
			t.Errorf("%s: %X and %X", name, first, second)
		}
	}
	good := block(func([]byte) {})
	if got := must(s.Decrypt(r.ctx, mechanism.RSAPKCS{SessionKeyLen: 16}, key, rawRSA(pub, good)))(t); !bytes.Equal(got, good[n-16:]) {
		t.Errorf("the key is %X", got)
	}
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
	s := r.open(true)
	secret := rand.Text()[:8]
	func() {
		so := pin(soPIN)
		r.ok(s.Login(r.ctx, token.SO, so))
		p := pin(secret)
		r.ok(s.InitPIN(r.ctx, p))
		r.ok(s.Logout(r.ctx))
		r.ok(s.Login(r.ctx, token.User, p))
		p.Clear()
	}()
	r.ok(r.sign(s, r.key(s, "k")))
	r.ok(s.Logout(r.ctx))
	r.wire.set(func(w *wire) { w.commands = nil }) // the test's own record
	needle := []byte(secret)
	for i := range needle {
		needle[i] ^= 0xFF // so that the dump does not find what looks for it
	}
	secret = ""
	dump := heap(t)
	for i := range needle {
		needle[i] ^= 0xFF
	}
	// What the card itself stores as its PIN, and the string of this test.
	if n := bytes.Count(dump, needle); n > 2 {
		t.Errorf("%d copies of the PIN are on the heap", n)
	}
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
					t.Errorf("%v: %v", opts, p)
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
	for _, ins := range []byte{0x2A, 0x86, 0x87} {
		if n := r.wire.count(ins); n > 0 {
			t.Errorf("%d commands %02X were sent", n, ins)
		}
	}
	_, err := s.Create(r.ctx, object.AttrClass.Is(object.ClassPublicKey), object.AttrKeyType.Is(object.KeyRSA), object.AttrModulus.Is(new(big.Int).SetBytes(bytes.Repeat([]byte{0xC1}, 256))), object.AttrPublicExponent.Is(big.NewInt(1)))
	if err == nil {
		t.Error("an RSA key with exponent 1")
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

// H8
func fipsMode(t *testing.T) {
	for _, mode := range []string{"on", "only"} {
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
