package p11kit

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"io"
	"math/big"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(dialEnv); path != "" {
		os.Exit(dialAsked(path))
	}
	goleak.VerifyTestMain(m)
}

const (
	roSession = flagSerial
	rwSession = flagSerial | flagRW
)

func TestTwoClientsAreTwoApplications(t *testing.T) {
	path := startServer(t)
	one, two := connect(t, path), connect(t, path)
	s1, s2 := one.open(rwSession), two.open(rwSession)
	one.login(s1)
	private := object.AttrClass.Is(object.ClassPrivateKey)
	if n := len(one.find(s1, private)); n != 2 {
		t.Errorf("one sees %d private keys", n)
	}
	if n := len(two.find(s2, private)); n != 0 {
		t.Errorf("two sees %d private keys without a login", n)
	}
	data := []object.Attribute{object.AttrClass.Is(object.ClassData), object.AttrLabel.Is("mine")}
	one.ok(20, func(w *writer) {
		w.ulong(s1)
		w.template(data)
	})
	if n := len(one.find(s1, data...)); n != 1 {
		t.Errorf("one sees %d session objects", n)
	}
	if n := len(two.find(s2, data...)); n != 0 {
		t.Errorf("two sees %d session objects of one", n)
	}
	two.login(s2)
	one.ok(19, numbers(s1))
	if n := len(two.find(s2, private)); n != 2 {
		t.Error("one's logout took two's login")
	}
	one.login(s1)
	one.c.Close()
	for range 5 {
		if n := len(two.find(s2, private)); n != 2 {
			t.Error("one's hang-up took two's login")
		}
	}
}

func TestRulesOfC(t *testing.T) {
	p := dial(t, startServer(t))
	p.c.Write([]byte{0})
	p.r.ReadByte()
	p.fails(ckr.CryptokiNotInitialized, 3, nil)
	hello := func(w *writer) {
		w.bytes([]byte(handshake))
		w.byte(0)
		w.byte(0)
		w.u32(0)
	}
	p.ok(1, hello)
	p.fails(ckr.CryptokiAlreadyInitialized, 1, hello)
	p.fails(ckr.SessionParallelNotSupported, 10, numbers(1, 0))
	p.fails(ckr.SlotIDInvalid, 10, numbers(99, roSession))
	p.fails(ckr.SlotIDInvalid, 12, numbers(99))
	p.fails(ckr.SessionHandleInvalid, 13, numbers(99))
	s := p.open(rwSession)
	p.login(s)
	p.fails(ckr.OperationNotInitialized, 27, func(w *writer) {
		w.ulong(s)
		w.u32(10)
	})
	begin := func(w *writer) {
		w.ulong(s)
		w.template(nil)
	}
	p.ok(26, begin)
	p.fails(ckr.OperationActive, 26, begin)
	p.ok(28, numbers(s))

	key := p.find(s, object.AttrClass.Is(object.ClassPrivateKey), object.AttrLabel.Is("rsa"))[0]
	signInit := func(w *writer) {
		w.ulong(s)
		w.mech(uint32(mechanism.RSAPKCS{Hash: 5}.Type())) // SHA-256
		w.ulong(key)
	}
	p.ok(42, signInit)
	p.fails(ckr.OperationActive, 42, signInit)
	signing := func(room uint32) func(w *writer) {
		return func(w *writer) {
			w.ulong(s)
			w.bytes([]byte("message"))
			w.u32(room)
		}
	}
	for _, room := range []uint32{0, nullLength, 255} { // a query, no room, too little
		r := p.ok(43, signing(room))
		if valid, n := r.byte(), r.u32(); valid != 0 || n != 256 {
			t.Errorf("room %d: valid %d, length %d", room, valid, n)
		}
	}
	r := p.ok(43, signing(256))
	sig := r.bytes()
	if len(sig) != 256 {
		t.Errorf("a signature of %d bytes", len(sig))
	}
	p.fails(ckr.OperationNotInitialized, 43, signing(256))

	pub := p.find(s, object.AttrClass.Is(object.ClassPublicKey), object.AttrLabel.Is("rsa"))[0]
	for _, good := range []bool{true, false} {
		p.ok(48, func(w *writer) {
			w.ulong(s)
			w.mech(uint32(mechanism.RSAPKCS{Hash: 5}.Type()))
			w.ulong(pub)
		})
		verify := func(w *writer) {
			w.ulong(s)
			w.bytes([]byte("message"))
			w.bytes(sig)
		}
		if good {
			p.ok(49, verify)
		} else {
			sig[0] ^= 1
			p.fails(ckr.SignatureInvalid, 49, verify)
		}
		p.fails(ckr.OperationNotInitialized, 49, verify)
	}
	p.ok(2, nil)
	p.fails(ckr.CryptokiNotInitialized, 13, numbers(s))
}

func TestDigestKeepsTheOperationForALargerBuffer(t *testing.T) {
	p := connect(t, startServer(t))
	s := p.open(roSession)
	p.ok(37, func(w *writer) {
		w.ulong(s)
		w.mech(uint32(mechanism.Digest{Hash: 5}.Type()))
	})
	call := func(room uint32) *reader {
		return p.ok(38, func(w *writer) {
			w.ulong(s)
			w.bytes([]byte("x"))
			w.u32(room)
		})
	}
	call(0)
	call(31)
	want := sha256.Sum256([]byte("x"))
	if got := call(32).bytes(); !bytes.Equal(got, want[:]) {
		t.Errorf("digest %x", got)
	}
}

func TestAttributesComeInOrderWithTheirCodes(t *testing.T) {
	p := connect(t, startServer(t))
	s := p.open(roSession)
	p.login(s)
	key := p.find(s, object.AttrClass.Is(object.ClassPrivateKey), object.AttrLabel.Is("ec"))[0]
	types := []object.Type{object.AttrLabel.Type, object.AttrValue.Type, object.AttrSign.Type, object.AttrApplication.Type, object.AttrKeyType.Type}
	ask := func(room uint32) *reader {
		return p.ok(24, func(w *writer) {
			w.ulong(s)
			w.ulong(key)
			w.u32(uint32(len(types)))
			for _, x := range types {
				w.u32(uint32(x))
				w.u32(room)
			}
		})
	}
	r := ask(100)
	if n := r.u32(); n != uint32(len(types)) {
		t.Fatalf("%d attributes", n)
	}
	var valid []byte
	for _, x := range types {
		if got := object.Type(r.u32()); got != x {
			t.Errorf("attribute %v, not %v", got, x)
		}
		v := r.byte()
		valid = append(valid, v)
		if v == 1 {
			r.u32()
			r.value(x, 0)
		}
	}
	if !bytes.Equal(valid, []byte{1, 0, 1, 0, 1}) {
		t.Errorf("valid: %v", valid)
	}
	if code := ckr.Code(r.ulong()); code != ckr.AttributeSensitive && code != ckr.AttributeTypeInvalid {
		t.Errorf("code %v", code)
	}
	types = types[:1]
	r = ask(1) // the label has two bytes
	r.take(4 + 4)
	if v, code := r.byte(), ckr.Code(r.ulong()); v != 0 || code != ckr.BufferTooSmall {
		t.Errorf("valid %d, code %v", v, code)
	}
}

// Later clients tell of the room within templates, and so ask for attributes
// behind them in another place.
func TestRoomWithinTemplates(t *testing.T) {
	p := connect(t, startServer(t))
	s := p.open(rwSession)
	p.login(s)
	nested := object.Template{object.AttrLabel.Is("inner"), object.AttrSensitive.Is(true)}
	key := p.ok(20, func(w *writer) {
		w.ulong(s)
		w.template(object.Template{object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES), object.AttrLabel.Is("outer"),
			object.AttrToken.Is(false), object.AttrValue.Is(make([]byte, 16)), object.AttrUnwrapTemplate.Is(nested)})
	}).ulong()
	ask := func(rooms func(w *writer)) (*reader, ckr.Code) {
		r := p.ok(24, func(w *writer) {
			w.ulong(s)
			w.ulong(key)
			w.u32(2)
			w.u32(uint32(object.AttrUnwrapTemplate.Type))
			rooms(w)
			w.u32(uint32(object.AttrLabel.Type))
			w.u32(100)
		})
		code := ckr.Code(binary.BigEndian.Uint64(r.b[len(r.b)-8:]))
		return r, code
	}
	all := object.AttrUnwrapTemplate.Is(nested)
	read := func(rooms func(w *writer)) object.Attribute {
		t.Helper()
		r, code := ask(rooms)
		if code != ckr.OK {
			t.Errorf("%v", code)
		}
		got := r.template(0)
		if len(got) != 2 || !got[1].Equal(object.AttrLabel.Is("outer")) {
			t.Fatalf("behind the template: %v", got)
		}
		return got[0]
	}
	lengths := func(a object.Attribute) bool {
		in, ok := a.Nested()
		return ok && len(in) == 2 && in[0].Type == object.AttrLabel.Type && len(in[0].Bytes()) == 0
	}
	tell := func(rooms ...uint32) func(w *writer) {
		return func(w *writer) {
			w.u32(uint32(24 * len(rooms)))
			w.u32(uint32(len(rooms)))
			for _, room := range rooms {
				w.u32(0)
				w.u32(room)
			}
		}
	}
	if got := read(tell()); !lengths(got) {
		t.Errorf("asked for the length: %v", got)
	}
	if got := read(tell(0, 0)); !lengths(got) {
		t.Errorf("asked for the lengths within: %v", got)
	}
	if got := read(tell(5, 1)); !got.Equal(all) {
		t.Errorf("asked for all: %v", got)
	}
	if got := read(func(w *writer) { w.u32(48) }); !got.Equal(all) {
		t.Errorf("asked for all, by an earlier client: %v", got)
	}
	for _, rooms := range [][]uint32{{5}, {4, 1}} {
		if _, code := ask(tell(rooms...)); code != ckr.BufferTooSmall {
			t.Errorf("room for %v: %v", rooms, code)
		}
	}
}

// A client that breaks the protocol is dropped, and the others live on.
func TestHostileClientsAreDropped(t *testing.T) {
	path := startServer(t)
	good := connect(t, path)
	s := good.open(roSession)
	message := func(options, length uint32, body ...byte) []byte {
		b := binary.BigEndian.AppendUint32(nil, 1)
		b = binary.BigEndian.AppendUint32(b, options)
		b = binary.BigEndian.AppendUint32(b, length)
		return append(b, body...)
	}
	for name, bytes := range map[string][]byte{
		"huge body":       message(0, 0xFFFFFFFF),
		"huge options":    message(0xFFFFFFFF, 8),
		"body too short":  message(0, 4, 0, 0, 0, 3),
		"unknown call":    message(0, 8, 0, 0, 0x12, 0x34, 0, 0, 0, 0),
		"wrong signature": message(0, 9, 0, 0, 0, 3, 0, 0, 0, 1, 'x'),
		"long signature":  message(0, 8, 0, 0, 0, 3, 0xFF, 0xFF, 0xFF, 0xFE),
		"error as a call": message(0, 8, 0, 0, 0, 0, 0, 0, 0, 0),
		"field cut short": message(0, 13, 0, 0, 0, 5, 0, 0, 0, 1, 'u', 0, 0, 0, 0),
	} {
		p := connect(t, path)
		p.c.Write(bytes)
		p.c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if n, err := io.Copy(io.Discard, p.r); err != nil && !isReset(err) {
			t.Errorf("%s: not dropped: %d bytes, %v", name, n, err)
		}
		good.ok(13, numbers(s))
	}
	half := connect(t, path)
	half.c.Write(message(0, 100, 1, 2, 3))
	garbage := dial(t, path)
	garbage.c.Write(bytes.Repeat([]byte("GET / HTTP/1.1\r\n"), 100))
	good.ok(13, numbers(s))
}

func isReset(err error) bool {
	_, ok := err.(*net.OpError)
	return ok && !os.IsTimeout(err)
}

var manyFor = flag.Duration("many", 2*time.Second, "how long TestManyClientsSign goes on")

// 64 clients sign at once, each with a login of its own; no signature is lost
// or bad.
func TestManyClientsSign(t *testing.T) {
	path := startServer(t)
	first := connect(t, path)
	pub := first.publicEC(first.open(roSession))
	var wg sync.WaitGroup
	var signatures atomic.Int64
	end := time.Now().Add(*manyFor)
	for range 64 {
		wg.Go(func() {
			p := connect(t, path)
			s := p.open(roSession)
			p.login(s)
			key := p.find(s, object.AttrClass.Is(object.ClassPrivateKey), object.AttrLabel.Is("ec"))[0]
			for i := 0; i < 5 || time.Now().Before(end); i++ {
				sig := signEC(p, s, key)
				if len(sig) != 64 || !ecdsa.Verify(pub, make([]byte, 32), new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
					t.Errorf("the signature %x is bad", sig)
				}
				signatures.Add(1)
			}
			p.c.Close()
		})
	}
	wg.Wait()
	t.Logf("%d signatures", signatures.Load())
}

// value reads one attribute.
func (p *peer) value(s, o uint64, typ object.Type) []byte {
	p.t.Helper()
	r := p.ok(24, func(w *writer) {
		w.ulong(s)
		w.ulong(o)
		w.u32(1)
		w.u32(uint32(typ))
		w.u32(200)
	})
	if n := r.u32(); n != 1 {
		p.t.Fatalf("%d attributes", n)
	}
	r.u32()
	if r.byte() == 0 {
		p.t.Fatalf("attribute %#x has no value", uint32(typ))
	}
	r.u32()
	return r.array()
}

// publicEC reads the public key "ec".
func (p *peer) publicEC(s uint64) *ecdsa.PublicKey {
	p.t.Helper()
	pub := p.find(s, object.AttrClass.Is(object.ClassPublicKey), object.AttrLabel.Is("ec"))[0]
	point := p.value(s, pub, object.AttrECPoint.Type)
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point[2:]) // in an OCTET STRING
	if err != nil {
		p.t.Fatal(err)
	}
	return key
}

// signEC signs a digest with SignInit and Sign.
func signEC(p *peer, s, key uint64) []byte {
	p.ok(42, func(w *writer) {
		w.ulong(s)
		w.mech(uint32(mechanism.TypeECDSA))
		w.ulong(key)
	})
	return p.ok(43, func(w *writer) {
		w.ulong(s)
		w.bytes(make([]byte, 32))
		w.u32(64)
	}).bytes()
}

func TestSocketIsPrivate(t *testing.T) {
	l, err := Listen("")
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(l.path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if _, err := Listen(l.path); err == nil {
		t.Error("took the socket of a server that lives")
	}
	dir := l.dir
	l.Close()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the directory is left: %v", err)
	}
	file := t.TempDir() + "/f"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(file); err == nil {
		t.Error("a file was taken for a socket")
	}
}

func FuzzCalls(f *testing.F) {
	for id, c := range calls {
		if c.run == nil {
			continue
		}
		var w writer
		w.u32(uint32(id))
		w.array([]byte(c.request))
		f.Add(append(w.b, make([]byte, 40)...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, version := range []byte{0, 2} {
			r := &reader{b: bytes.Clone(b), offered: version}
			r.template(0)
			r = &reader{b: bytes.Clone(b), offered: version}
			r.mechanism()
			r = &reader{b: bytes.Clone(b), offered: version}
			r.buffers()
			a := &application{offered: version, agreed: version}
			a.call(t.Context(), &callContext{body: bytes.Clone(b)})
		}
	})
}

// A thread of a client that waits does not keep its other threads from
// calling, nor two of them, one after the other.
func TestOneThreadsWaitingIsNotAnothers(t *testing.T) {
	m, err := cryptoki.Open(t.Context(), cryptoki.WithProvider(virtual.NewProvider()))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	// What is written to a pipe was read when Write returns: the server has one
	// call at a time in its hands.
	c, theirs := net.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	var server sync.WaitGroup
	server.Go(func() { serve(ctx, theirs, m) })
	defer server.Wait()
	defer cancel()
	c.SetDeadline(time.Now().Add(5 * time.Second)) // else it would hang, not fail
	p := (&peer{t: t, c: c, r: bufio.NewReader(c)}).greet()
	for i := range uint32(3) {
		if err := p.send(100+i, 65, "u", make([]byte, 8)); err != nil { // C_WaitForSlotEvent
			t.Fatal(err)
		}
		p.ok(3, nil)
	}
}

// What a client derives on the card with ECDH, it reads.
func TestDerive(t *testing.T) {
	p := connect(t, startServer(t))
	s := p.open(roSession)
	p.login(s)
	key := p.find(s, object.AttrClass.Is(object.ClassPrivateKey), object.AttrLabel.Is("ec"))[0]
	theirs, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret := p.ok(62, func(w *writer) {
		w.ulong(s)
		w.u32(uint32(mechanism.TypeECDH1Derive))
		w.ulong(uint64(mechanism.KDFNull))
		w.u32(nullLength)
		w.array(theirs.PublicKey().Bytes())
		w.ulong(key)
		w.template(object.Template{
			object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyGenericSecret), object.AttrValueLen.Is(32),
			object.AttrSensitive.Is(false), object.AttrExtractable.Is(true),
		})
	}).ulong()
	ours, err := p.publicEC(s).ECDH()
	if err != nil {
		t.Fatal(err)
	}
	want, err := theirs.ECDH(ours)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.value(s, secret, object.AttrValue.Type); !bytes.Equal(got, want) {
		t.Errorf("derived %x, not %x", got, want)
	}
}
