package p11kit

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// withIV writes a field M whose parameter is a byte array.
func withIV(w *writer, t mechanism.Type, iv []byte) {
	w.u32(uint32(t))
	w.array(iv)
}

// aesKey makes a session key of a known value.
func aesKey(p *peer, s uint64, value []byte) uint64 {
	p.t.Helper()
	return p.ok(20, func(w *writer) {
		w.ulong(s)
		w.template(object.Template{
			object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES), object.AttrValue.Is(value),
			object.AttrEncrypt.Is(true), object.AttrDecrypt.Is(true),
		})
	}).ulong()
}

// begin calls the beginning of an operation of AES-CBC with padding.
func (p *peer) begin(id uint32, s, key uint64, iv []byte) {
	p.t.Helper()
	p.ok(id, func(w *writer) {
		w.ulong(s)
		withIV(w, mechanism.TypeAESCBCPad, iv)
		w.ulong(key)
	})
}

// piece calls an update, or with nil a final, with room for so many bytes, and
// returns what comes out or how long it would be.
func (p *peer) piece(id uint32, s uint64, data []byte, room uint32) (out []byte, length uint32) {
	p.t.Helper()
	r := p.ok(id, func(w *writer) {
		w.ulong(s)
		if data != nil {
			w.bytes(data)
		}
		w.u32(room)
	})
	if r.byte() == 0 {
		return nil, r.u32()
	}
	return r.array(), 0
}

func expected(t *testing.T, key, iv, plain []byte) []byte {
	t.Helper()
	b, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	n := 16 - len(plain)%16
	out := append(bytes.Clone(plain), bytes.Repeat([]byte{byte(n)}, n)...)
	cipher.NewCBCEncrypter(b, iv).CryptBlocks(out, out)
	return out
}

func TestPartsComeOutAsTheyGoIn(t *testing.T) {
	p := connect(t, startServer(t))
	s := p.open(roSession)
	p.login(s)
	value, iv, plain := bytes.Repeat([]byte{7}, 32), bytes.Repeat([]byte{9}, 16), bytes.Repeat([]byte("0123456789"), 10)
	key := aesKey(p, s, value)
	want := expected(t, value, iv, plain)

	p.begin(29, s, key, iv)
	if _, n := p.piece(31, s, plain[:50], 0); n < 50 {
		t.Errorf("a query for the length of a part: %d", n)
	}
	out, n := p.piece(31, s, plain[:50], 10) // too little room
	if out != nil || n != 48 {
		t.Fatalf("too little room: %x, %d", out, n)
	}
	sealed, _ := p.piece(31, s, plain[:50], 48) // the same call again
	if len(sealed) != 48 {
		t.Fatalf("the part again: %x", sealed)
	}
	out, _ = p.piece(31, s, plain[50:], 200)
	sealed = append(sealed, out...)
	if out, n = p.piece(32, s, nil, 1); out != nil || n != 16 {
		t.Errorf("the end with too little room: %x, %d", out, n)
	}
	out, _ = p.piece(32, s, nil, 16)
	if sealed = append(sealed, out...); !bytes.Equal(sealed, want) {
		t.Errorf("encrypted %x, not %x", sealed, want)
	}
	p.fails(ckr.OperationNotInitialized, 32, func(w *writer) { w.ulong(s); w.u32(16) })

	// What waits to be fetched is not passed over.
	final := func(w *writer) { w.ulong(s); w.u32(200) }
	update := func(w *writer) { w.ulong(s); w.bytes(plain); w.u32(200) }
	p.begin(29, s, key, iv)
	p.piece(31, s, plain, 10)
	p.fails(ckr.OperationActive, 32, final)
	p.begin(29, s, key, iv)
	p.piece(32, s, nil, 1)
	p.fails(ckr.OperationActive, 31, update)

	p.begin(33, s, key, iv)
	var opened []byte
	for len(sealed) > 0 {
		k := min(len(sealed), 13)
		out, _ := p.piece(35, s, sealed[:k], 64)
		opened, sealed = append(opened, out...), sealed[k:]
	}
	out, _ = p.piece(36, s, nil, 64)
	if opened = append(opened, out...); !bytes.Equal(opened, plain) {
		t.Errorf("decrypted %q", opened)
	}
}

func TestTwoOperationsShareTheirData(t *testing.T) {
	p := connect(t, startServer(t))
	s := p.open(roSession)
	p.login(s)
	value, iv, plain := bytes.Repeat([]byte{7}, 32), bytes.Repeat([]byte{9}, 16), bytes.Repeat([]byte("0123456789"), 10)
	key, want, sum := aesKey(p, s, value), expected(t, value, iv, plain), sha256.Sum256(plain)
	digest := func() {
		t.Helper()
		p.ok(37, func(w *writer) { w.ulong(s); w.mech(uint32(mechanism.TypeSHA256)) })
	}
	finish := func() {
		t.Helper()
		if out, _ := p.piece(41, s, nil, 32); !bytes.Equal(out, sum[:]) {
			t.Errorf("the digest is %x, not %x", out, sum)
		}
	}
	digest()
	p.begin(29, s, key, iv)
	sealed, _ := p.piece(54, s, plain, 200)
	out, _ := p.piece(32, s, nil, 16)
	if sealed = append(sealed, out...); !bytes.Equal(sealed, want) {
		t.Errorf("encrypted %x, not %x", sealed, want)
	}
	finish()

	digest()
	p.begin(33, s, key, iv)
	opened, _ := p.piece(55, s, sealed, 200)
	out, _ = p.piece(36, s, nil, 200)
	opened = append(opened, out...)
	if !bytes.Equal(opened, plain) {
		t.Errorf("decrypted %q", opened)
	}
	p.ok(39, func(w *writer) { w.ulong(s); w.bytes(out) })
	finish()

	p.begin(29, s, key, iv) // without the other
	p.fails(ckr.OperationNotInitialized, 54, func(w *writer) { w.ulong(s); w.bytes(plain); w.u32(200) })
}

func TestDigestGoesOnInAnotherSession(t *testing.T) {
	p := connect(t, startServer(t))
	a, b := p.open(roSession), p.open(roSession)
	sum := sha256.Sum256([]byte("onetwo"))
	p.fails(ckr.OperationNotInitialized, 16, func(w *writer) { w.ulong(a); w.u32(1000) })
	p.ok(37, func(w *writer) { w.ulong(a); w.mech(uint32(mechanism.TypeSHA256)) })
	p.ok(39, func(w *writer) { w.ulong(a); w.bytes([]byte("one")) })
	state, _ := p.piece(16, a, nil, 1000)
	resume := func(state []byte) func(w *writer) {
		return func(w *writer) { w.ulong(b); w.bytes(state); w.ulong(0); w.ulong(0) }
	}
	p.ok(17, resume(state))
	p.ok(39, func(w *writer) { w.ulong(b); w.bytes([]byte("two")) })
	if out, _ := p.piece(41, b, nil, 32); !bytes.Equal(out, sum[:]) {
		t.Errorf("the digest is %x, not %x", out, sum)
	}
	p.fails(ckr.SavedStateInvalid, 17, resume(nil))
	p.fails(ckr.SavedStateInvalid, 17, resume(state[:len(state)-1]))
	p.fails(ckr.SavedStateInvalid, 17, resume(make([]byte, 100)))
}

func TestSignatureGivesItsDataBack(t *testing.T) {
	p := connect(t, startServer(t))
	s := p.open(roSession)
	p.login(s)
	r := p.ok(59, func(w *writer) {
		w.ulong(s)
		w.mech(uint32(mechanism.TypeRSAPKCSKeyPairGen))
		w.template(object.Template{object.AttrModulusBits.Is(2048), object.AttrVerifyRecover.Is(true)})
		w.template(object.Template{object.AttrSignRecover.Is(true)})
	})
	pub, priv := r.ulong(), r.ulong()
	begin := func(key uint64) func(w *writer) {
		return func(w *writer) { w.ulong(s); w.mech(uint32(mechanism.TypeRSAPKCS)); w.ulong(key) }
	}
	p.ok(46, begin(priv))
	sig, n := p.piece(47, s, []byte("what it says"), 10)
	if sig != nil || n != 256 {
		t.Fatalf("too little room: %x, %d", sig, n)
	}
	sig, _ = p.piece(47, s, []byte("what it says"), 256)
	p.ok(52, begin(pub))
	if data, _ := p.piece(53, s, sig, 256); string(data) != "what it says" {
		t.Errorf("the data are %q", data)
	}
	card := p.find(s, object.AttrClass.Is(object.ClassPrivateKey), object.AttrLabel.Is("ec"))[0]
	if _, code := p.call(46, begin(card)); code == ckr.OK {
		t.Error("an EC key signs with recovery")
	}
}

// A caller that knows that nothing is left has no room for it, which looks like
// a query for the length; it begins the next operation all the same.
func TestEndWithoutRoomWhereNothingIsLeft(t *testing.T) {
	p := connect(t, startServer(t))
	s := p.open(roSession)
	p.login(s)
	key := aesKey(p, s, bytes.Repeat([]byte{7}, 32))
	plain := make([]byte, 64)
	for _, x := range []struct{ begin, part, end uint32 }{{29, 31, 32}, {33, 35, 36}} {
		for range 2 {
			p.ok(x.begin, func(w *writer) {
				w.ulong(s)
				w.mech(uint32(mechanism.TypeAESECB))
				w.ulong(key)
			})
			if out, _ := p.piece(x.part, s, plain, 64); len(out) != 64 {
				t.Errorf("a part gives %x", out)
			}
			if out, n := p.piece(x.end, s, nil, 0); out == nil || len(out) != 0 {
				t.Errorf("the end: %x, %d", out, n)
			}
		}
		if out, n := p.piece(x.end, s, nil, 16); len(out) != 0 || n != 0 {
			t.Errorf("the end, after its length was asked for: %x, %d", out, n)
		}
		p.fails(ckr.OperationNotInitialized, x.end, func(w *writer) { w.ulong(s); w.u32(16) })
	}
}
