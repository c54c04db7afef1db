package p11kit

import (
	"crypto/ecdh"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/cardtest"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
)

// A newer client gets what both know, and an older one what it asks for.
func TestVersionIsAgreedOn(t *testing.T) {
	path := startServer(t)
	for _, x := range []struct{ offer, agreed, major, minor byte }{{0, 0, 2, 40}, {1, 1, 3, 0}, {2, 2, 3, 0}, {255, 2, 3, 0}} {
		p := dial(t, path).greetAs(x.offer, x.agreed)
		r := p.ok(3, nil)
		if major, minor := r.byte(), r.byte(); major != x.major || minor != x.minor {
			t.Errorf("offered %d: PKCS #11 %d.%d", x.offer, major, minor)
		}
	}
}

// Who agreed on version 0 breaks the protocol with a call of version 1.
func TestCallsOfVersion1NeedIt(t *testing.T) {
	p := connect(t, startServer(t))
	s := p.open(roSession)
	var w writer
	w.ulong(s)
	w.ulong(0)
	p.send(9, 67, "uu", w.b)
	if _, _, err := p.receive(67); err == nil {
		t.Error("the call was answered")
	}
}

func TestLoginUser(t *testing.T) {
	p := dial(t, startServer(t)).greetAs(1, 1)
	s := p.open(roSession)
	as := func(role uint64, pin, name string) func(w *writer) {
		return func(w *writer) {
			w.ulong(s)
			w.ulong(role)
			w.bytes([]byte(pin))
			w.bytes([]byte(name))
		}
	}
	p.fails(ckr.UserTypeInvalid, 66, as(1, cardtest.PIN, "somebody"))
	p.fails(ckr.UserTypeInvalid, 66, as(7, cardtest.PIN, ""))
	p.fails(ckr.OperationNotInitialized, 66, as(2, cardtest.PIN, ""))
	p.ok(66, as(1, cardtest.PIN, ""))
	p.fails(ckr.UserAlreadyLoggedIn, 66, as(1, cardtest.PIN, ""))
	r := p.ok(13, numbers(s))
	r.ulong()
	if state := r.ulong(); state != uint64(token.ROUser) {
		t.Errorf("state %d", state)
	}
}

// C_SessionCancel ends the operations that it names, and no other.
func TestSessionCancel(t *testing.T) {
	p := dial(t, startServer(t)).greetAs(1, 1)
	s := p.open(roSession)
	p.login(s)
	key := p.find(s, object.AttrClass.Is(object.ClassPrivateKey), object.AttrLabel.Is("ec"))[0]
	begin := map[mechanism.Flags]func() ckr.Code{
		mechanism.FlagSign: func() ckr.Code {
			_, code := p.call(42, func(w *writer) { w.ulong(s); w.mech(uint32(mechanism.TypeECDSA)); w.ulong(key) })
			return code
		},
		mechanism.FlagDigest: func() ckr.Code {
			_, code := p.call(37, func(w *writer) { w.ulong(s); w.mech(uint32(mechanism.TypeSHA256)) })
			return code
		},
		mechanism.FlagFindObjects: func() ckr.Code {
			_, code := p.call(26, func(w *writer) { w.ulong(s); w.template(nil) })
			return code
		},
	}
	all := mechanism.FlagSign | mechanism.FlagDigest | mechanism.FlagFindObjects
	for _, flags := range []mechanism.Flags{0, mechanism.FlagSign, mechanism.FlagDigest, mechanism.FlagFindObjects, all, mechanism.FlagEncrypt, 1 << 40} {
		for f, start := range begin {
			if code := start(); code != ckr.OK {
				t.Fatalf("flag %v: %v", f, code)
			}
		}
		p.ok(67, numbers(s, uint64(flags)))
		for f, start := range begin {
			want := ckr.OperationActive
			if flags.Has(f) {
				want = ckr.OK
			}
			if code := start(); code != want {
				t.Errorf("cancelled %v, then %v begins: %v, not %v", flags, f, code, want)
			}
		}
		p.ok(67, numbers(s, uint64(all)))
	}
	p.fails(ckr.SessionHandleInvalid, 67, numbers(s+1, 0))
}

// The parameters of message-based calls are structures of C with pointers.
// Whatever a client sends with them, the connection lives on.
func TestMessagesAreNotSupported(t *testing.T) {
	p := dial(t, startServer(t)).greetAs(2, 2)
	s := p.open(roSession)
	for id := uint32(firstMessage); id < endMessage; id++ {
		if !strings.Contains(calls[id].name, "Message") {
			t.Errorf("call %d is %s", id, calls[id].name)
		}
		p.fails(ckr.FunctionNotSupported, id, numbers(s))
		p.fails(ckr.SessionHandleInvalid, id, numbers(s+1))
	}
}

// C_InitToken2 takes the label blank padded, which C has it.
func TestInitToken2(t *testing.T) {
	p := dial(t, startServer(t)).greetAs(1, 1)
	p.ok(88, func(w *writer) {
		w.ulong(1)
		w.bytes([]byte(cardtest.SOPIN))
		w.fixed("a new label", 32)
	})
	r := p.ok(6, numbers(1))
	if label := string(r.array()); strings.TrimRight(label, " ") != "a new label" || len(label) != 32 {
		t.Errorf("label %q", label)
	}
}

// Clients of version 2 differ in which mechanisms have no parameter, and send
// nothing after the type of those, not even that.
func TestMechanismsOfVersion2(t *testing.T) {
	p := dial(t, startServer(t)).greetAs(2, 2)
	s := p.open(roSession)
	p.login(s)
	for _, after := range [][]byte{nil, {0}} {
		p.ok(37, func(w *writer) { w.ulong(s); w.u32(uint32(mechanism.TypeSHA512_224)); w.b = append(w.b, after...) })
		p.ok(67, numbers(s, uint64(mechanism.FlagDigest)))
		p.ok(58, func(w *writer) {
			w.ulong(s)
			w.u32(uint32(mechanism.TypeAESKeyGen))
			w.template(object.Template{object.AttrValueLen.Is(16), object.AttrEncrypt.Is(true)})
		})
	}
	key := p.ok(58, func(w *writer) {
		w.ulong(s)
		w.u32(uint32(mechanism.TypeAESKeyGen))
		w.template(object.Template{object.AttrValueLen.Is(16), object.AttrEncrypt.Is(true)})
	}).ulong()
	// A parameter that happens to be as long as a key's handle.
	p.ok(29, func(w *writer) {
		w.ulong(s)
		w.u32(uint32(mechanism.TypeAESCBC))
		w.byte(1)
		w.array(make([]byte, 16))
		w.ulong(key)
	})
}

// C_DeriveKey2 tells that nothing became of the mechanism's parameter.
func TestDeriveKey2(t *testing.T) {
	p := dial(t, startServer(t)).greetAs(2, 2)
	s := p.open(roSession)
	p.login(s)
	key := p.find(s, object.AttrClass.Is(object.ClassPrivateKey), object.AttrLabel.Is("ec"))[0]
	theirs, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	derive := func(point []byte) func(w *writer) {
		return func(w *writer) {
			w.ulong(s)
			w.u32(uint32(mechanism.TypeECDH1Derive))
			w.byte(1)
			w.ulong(uint64(mechanism.KDFNull))
			w.u32(nullLength)
			w.array(point)
			w.ulong(key)
			w.template(object.Template{object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyGenericSecret), object.AttrValueLen.Is(32)})
		}
	}
	p.fails(ckr.MechanismParamInvalid, 89, derive([]byte{4}))
	r := p.ok(89, derive(theirs.PublicKey().Bytes()))
	if code, update, o := r.ulong(), r.byte(), r.ulong(); code != 0 || update != 1 || o == 0 || len(r.b) != 0 {
		t.Errorf("code %d, update %d, object %d, %d bytes more", code, update, o, len(r.b))
	}
	base := p.ok(58, func(w *writer) {
		w.ulong(s)
		w.u32(uint32(mechanism.TypeAESKeyGen))
		w.template(object.Template{object.AttrValueLen.Is(16), object.AttrDerive.Is(true)})
	}).ulong()
	r = p.ok(89, func(w *writer) {
		w.ulong(s)
		w.u32(uint32(mechanism.TypeSHA256KeyDerivation))
		w.ulong(base)
		w.template(object.Template{object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyGenericSecret), object.AttrValueLen.Is(32)})
	})
	if code, o := r.ulong(), r.ulong(); code != 0 || o == 0 || len(r.b) != 0 {
		t.Errorf("without a parameter: code %d, object %d, %d bytes more", code, o, len(r.b))
	}
}
