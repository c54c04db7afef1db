package piv

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/record"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

func TestSelectionByNameOrItsBeginning(t *testing.T) {
	r := newRig(t, nist())
	for _, name := range []string{"A000000308", "A00000030800001000", "A000000308000010000100"} {
		got := r.ok("00A40400", unhex(name))
		if v, err := tlv.Find(got, 0x61, 0x4F); err != nil || !bytes.Equal(v, aid[5:]) {
			t.Errorf("%s: %X", name, got)
		}
	}
	r.want(apdu.SWFileNotFound, "00A40400", "A000000063504B43532D3135")
	r.want(apdu.SWFileNotFound, "00A40400", "A0000003")
	r.want(apdu.SWWrongP1P2, "00A4040C", "A000000308")
}

// GnuPG looks further at cards that answer so to the selection of the root.
func TestYubiKeyHasNoFiles(t *testing.T) {
	newRig(t, yubikey()).want(apdu.SWINSNotSupported, "00A4000C", "3F00")
	newRig(t, nist()).want(apdu.SWWrongP1P2, "00A4000C", "3F00")
}

func TestObjects(t *testing.T) {
	r := newRig(t, nist())
	r.want(apdu.SWSecurityNotSatisfied, "00DB3FFF", "5C035FC102 5302AABB")
	r.admin()
	long := tlv.New(0x53, bytes.Repeat([]byte{0x77}, 5000))
	r.ok("00DB3FFF", append(unhex("5C035FC108"), long...))
	r.want(apdu.SWSecurityNotSatisfied, "00CB3FFF", "5C035FC108") // the PIN is missing
	r.verify("123456")
	if got := r.ok("00CB3FFF", unhex("5C035FC108")); !bytes.Equal(got, long) {
		t.Errorf("%d bytes", len(got))
	}
	r.ok("00DB3FFF", unhex("5C035FC102 5302AABB"))
	if got := r.ok("00CB3FFF", unhex("5C035FC102")); !bytes.Equal(got, unhex("5302AABB")) {
		t.Errorf("%X", got)
	}
	r.ok("00DB3FFF", unhex("5C035FC102 5300"))
	r.want(apdu.SWFileNotFound, "00CB3FFF", "5C035FC102")
	r.want(apdu.SWWrongData, "00DB3FFF", "5C035FFF00 5301AA") // not the standard's
	r.want(apdu.SWWrongData, "00CB3FFF", "5D015F")
	r.want(apdu.SWWrongP1P2, "00CB3FFE", "5C017E")
	if got := r.ok("00CB3FFF", unhex("5C017E")); !bytes.Equal(got, unhex("7E124F0BA0000003080000100001005F2F024000")) {
		t.Errorf("discovery object %X", got)
	}
}

func TestPINsAreCountedAndUnblocked(t *testing.T) {
	r := newRig(t, nist())
	r.want(0x63C3, "00200080", "")
	r.want(apdu.SWWrongData, "00200080", "3132330000000000") // malformed: costs nothing
	r.want(apdu.SWWrongData, "00200080", "313233343536")
	for _, sw := range []apdu.Status{0x63C2, 0x63C1, 0x63C0, apdu.SWBlocked} {
		r.want(sw, "00200080", "393939393939FFFF")
	}
	r.want(apdu.SWBlocked, "00200080", "313233343536FFFF")
	r.want(0x63C2, "002C0080", "3939393939393939 363534333231FFFF")
	r.want(apdu.OK, "002C0080", "3132333435363738 363534333231FFFF")
	r.want(0x63C3, "00200080", "")
	r.verify("654321")
	r.want(apdu.OK, "00200080", "")
	r.want(apdu.OK, "0020FF80", "")
	r.want(0x63C3, "00200080", "")
	r.want(0x63C2, "00240080", "393939393939FFFF 313233343536FFFF")
	r.want(apdu.OK, "00240080", "363534333231FFFF 313233343536FFFF")
	r.want(apdu.OK, "00240081", "3132333435363738 3837363534333231")
	r.want(apdu.SWReferenceNotFound, "00200081", "3837363534333231")
}

func TestQuirksAreSwitches(t *testing.T) {
	p := nist()
	p.Quirks = Quirks{OldCounters: true, BlindStatus: true, ReselectDrops: true, NoMoreBytes: true}
	r := newRig(t, p)
	r.want(0x6302, "00200080", "393939393939FFFF")
	r.verify("123456")
	r.want(0x6303, "00200080", "")
	r.admin()
	r.ok("00DB3FFF", append(unhex("5C035FC109"), tlv.New(0x53, make([]byte, 300))...))
	if got := r.card.Process(unhex("00CB3FFF055C035FC10900")); len(got) != 258 || got[256] != 0x90 {
		t.Errorf("%d bytes, %X", len(got), got[len(got)-2:])
	}
	r.ok("00A40400", aid)
	r.want(apdu.SWSecurityNotSatisfied, "00CB3FFF", "5C035FC109")
	q := nist()
	q.Quirks.CountsStatus = true
	r = newRig(t, q)
	r.want(0x63C2, "00200080", "")
	r.want(0x63C1, "00200080", "")
}

func TestKeysSignDecipherAndAgree(t *testing.T) {
	r := newRig(t, yubikey())
	r.admin()
	r.verify("123456")
	digest := sha256.Sum256([]byte("message"))

	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), r.generate(0x9A, P256)[2:])
	if err != nil {
		t.Fatal(err)
	}
	if sig, sw := r.use(P256, 0x9A, tagChallenge, digest[:]); sw != apdu.OK || !ecdsa.VerifyASN1(pub, digest[:], sig) {
		t.Errorf("P-256: %v", sw)
	}
	peer, _ := ecdh.P256().GenerateKey(rand.Reader)
	point, _ := pub.ECDH()
	want, _ := peer.ECDH(point)
	if x, sw := r.use(P256, 0x9A, tagExponentiation, peer.PublicKey().Bytes()); sw != apdu.OK || !bytes.Equal(x, want) {
		t.Errorf("ECDH: %v", sw)
	}
	r.want(apdu.SWWrongP1P2, "0087149A", "7C04 8200 8100")

	n, err := tlv.Find(r.generate(0x9D, RSA2048), 0x81)
	if err != nil {
		t.Fatal(err)
	}
	rsaPub := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}
	cryptogram, _ := rsa.EncryptPKCS1v15(rand.Reader, rsaPub, []byte("secret"))
	block, sw := r.use(RSA2048, 0x9D, tagChallenge, cryptogram)
	if sw != apdu.OK || !bytes.HasSuffix(block, []byte("\x00secret")) {
		t.Errorf("RSA: %v", sw)
	}
	_, sw = r.use(RSA2048, 0x9D, tagChallenge, bytes.Repeat([]byte{0xFF}, 256))
	if sw != apdu.SWWrongData {
		t.Errorf("a block above the modulus: %v", sw)
	}

	edPub := ed25519.PublicKey(r.generate(0x9E, Ed25519)[2:])
	if sig, sw := r.use(Ed25519, 0x9E, tagChallenge, []byte("message")); sw != apdu.OK || !ed25519.Verify(edPub, []byte("message"), sig) {
		t.Errorf("Ed25519: %v", sw)
	}
	xPub, err := ecdh.X25519().NewPublicKey(r.generate(0x82, X25519)[2:])
	if err != nil {
		t.Fatal(err)
	}
	xPeer, _ := ecdh.X25519().GenerateKey(rand.Reader)
	want, _ = xPeer.ECDH(xPub)
	if x, sw := r.use(X25519, 0x82, tagExponentiation, xPeer.PublicKey().Bytes()); sw != apdu.OK || !bytes.Equal(x, want) {
		t.Errorf("X25519: %v", sw)
	}
}

func TestSignatureKeyNeedsThePINEachTime(t *testing.T) {
	for name, p := range map[string]Persona{"nist": nist(), "yubikey": yubikey()} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, p)
			r.admin()
			r.generate(0x9C, P256)
			r.generate(0x9A, P256)
			digest := make([]byte, 32)
			sign := func(ref byte, want apdu.Status) {
				t.Helper()
				if _, sw := r.use(P256, ref, tagChallenge, digest); sw != want {
					t.Errorf("%02X: %v, want %v", ref, sw, want)
				}
			}
			sign(0x9C, apdu.SWSecurityNotSatisfied)
			r.verify("123456")
			sign(0x9C, apdu.OK)
			sign(0x9C, apdu.SWSecurityNotSatisfied)
			sign(0x9A, apdu.OK)
			r.verify("123456")
			r.ok("00CB3FFF", unhex("5C017E"))
			if p.Yubico {
				sign(0x9C, apdu.OK)
			} else {
				sign(0x9C, apdu.SWSecurityNotSatisfied)
			}
		})
	}
}

func TestManagementKeyIsProvedOrNot(t *testing.T) {
	for _, a := range []Algorithm{TDES, AES128, AES192, AES256} {
		p := yubikey()
		p.ManagementAlgorithm, p.ManagementKey = a, bytes.Repeat([]byte{7, 9}, a.keyLength()/2)
		r := newRig(t, p)
		r.admin()
		r.want(apdu.OK, "00DB3FFF", "5C035FC102 5301AA")
		block, header := r.cipher()
		n := block.BlockSize()
		r.ok(header, unhex("7C028000"))
		r.want(apdu.SWSecurityNotSatisfied, header, fmt.Sprintf("%X", tlv.New(0x7C, tlv.New(0x80, make([]byte, n)), tlv.New(0x81, make([]byte, n)))))
		r.want(apdu.SWSecurityNotSatisfied, "00DB3FFF", "5C035FC102 5301AA") // the failure took the earlier proof back
		challenge, _ := tlv.Find(r.ok(header, unhex("7C028100")), 0x7C, 0x81)
		answer := make([]byte, n)
		block.Encrypt(answer, challenge)
		r.ok(header, tlv.New(0x7C, tlv.New(0x82, answer)))
		r.want(apdu.OK, "00DB3FFF", "5C035FC102 5301AA")
		r.want(apdu.SWSecurityNotSatisfied, header, fmt.Sprintf("%X", tlv.New(0x7C, tlv.New(0x82, answer)))) // a proof works once
	}
}

func TestManagementKeyIsReplaced(t *testing.T) {
	r := newRig(t, yubikey())
	r.want(apdu.SWSecurityNotSatisfied, "00FFFFFF", "0C9B20"+fmt.Sprintf("%X", make([]byte, 32)))
	r.admin()
	r.want(apdu.SWWrongData, "00FFFFFF", "0C9B10"+fmt.Sprintf("%X", make([]byte, 16)))
	r.want(apdu.OK, "00FFFFFF", "0C9B20"+fmt.Sprintf("%X", make([]byte, 32)))
	r.card.Reset()
	r.admin()
	if got := r.ok("00F7009B", nil); !bytes.Equal(got, unhex("01010C 02020001 050100")) {
		t.Errorf("metadata %X", got)
	}
}

func TestImportedKeysAreThoseThatWereSent(t *testing.T) {
	r := newRig(t, yubikey())
	r.admin()
	r.verify("123456")
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	half := func(n *big.Int) []byte { return n.FillBytes(make([]byte, 128)) }
	parts := bytes.Join([][]byte{
		tlv.New(1, half(k.Primes[0])), tlv.New(2, half(k.Primes[1])),
		tlv.New(3, half(k.Precomputed.Dp)), tlv.New(4, half(k.Precomputed.Dq)), tlv.New(5, half(k.Precomputed.Qinv)),
		{0xAA, 1, 1},
	}, nil)
	r.ok("00FE079A", parts)
	r.card.Reset()
	digest := sha256.Sum256([]byte("message"))
	want, _ := rsa.SignPKCS1v15(nil, k, crypto.SHA256, digest[:])
	block := new(big.Int).Exp(new(big.Int).SetBytes(want), big.NewInt(65537), k.N).FillBytes(make([]byte, 256))
	if sig, sw := r.use(RSA2048, 0x9A, tagChallenge, block); sw != apdu.OK || !bytes.Equal(sig, want) {
		t.Errorf("%v", sw) // with PIN policy never
	}
	r.admin()
	parts[140] ^= 1
	if _, sw := r.send("00FE079A", parts); sw != apdu.SWWrongData {
		t.Errorf("parts that do not belong together: %v", sw)
	}
	scalar := bytes.Repeat([]byte{0x11}, 32)
	r.ok("00FE119E", tlv.New(6, scalar))
	ec, _ := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
	point, _ := ec.PublicKey.Bytes()
	want = bytes.Join([][]byte{{1, 1, 0x11, 2, 2, 1, 1, 3, 1, 2}, tlv.New(4, tlv.New(0x86, point))}, nil)
	if diff := cmp.Diff(want, r.ok("00F7009E", nil)); diff != "" {
		t.Error(diff)
	}
}

func TestKeysMoveAndGo(t *testing.T) {
	r := newRig(t, yubikey())
	r.admin()
	r.generate(0x9A, P256)
	r.generate(0x82, P256)
	r.want(apdu.SWWrongData, "00F6829A", "") // taken
	r.want(apdu.OK, "00F6839A", "")
	r.want(apdu.SWReferenceNotFound, "00F7009A", "")
	r.want(apdu.OK, "00F70083", "")
	r.want(apdu.OK, "00F6FF83", "")
	r.want(apdu.SWReferenceNotFound, "00F6FF83", "")
	r.card.Reset()
	r.want(apdu.SWSecurityNotSatisfied, "00F6FF82", "")
}

func TestAttestationLeadsToTheCardsAuthority(t *testing.T) {
	r := newRig(t, yubikey())
	r.admin()
	r.generate(0x9A, P256, 0xAA, 1, 3, 0xAB, 1, 2)
	cert, err := x509.ParseCertificate(r.ok("00F99A00", nil))
	if err != nil {
		t.Fatal(err)
	}
	der, err := tlv.Find(r.ok("00CB3FFF", unhex("5C035FFF01")), 0x53, 0x70)
	if err != nil {
		t.Fatal(err)
	}
	parent, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	root, _ := x509.ParseCertificate(r.card.Root())
	roots.AddCert(root)
	between.AddCert(parent)
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		t.Error(err)
	}
	var policy []byte
	for _, e := range cert.Extensions {
		if e.Id.String() == "1.3.6.1.4.1.41482.3.8" {
			policy = e.Value
		}
	}
	if !bytes.Equal(policy, []byte{3, 2}) {
		t.Errorf("policy %X", policy)
	}
	r.ok("00FE119C", tlv.New(6, bytes.Repeat([]byte{0x11}, 32)))
	r.want(apdu.SWConditionsNotSatisfied, "00F99C00", "") // imported
}

func TestAttestationOfAnX25519Key(t *testing.T) {
	r := newRig(t, yubikey())
	r.admin()
	point, err := tlv.Find(r.generate(0x82, X25519), 0x86)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(r.ok("00F98200", nil))
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKIXPublicKey(cert.RawSubjectPublicKeyInfo)
	if pub, ok := key.(*ecdh.PublicKey); !ok || !bytes.Equal(pub.Bytes(), point) {
		t.Errorf("the certificate is of %v, %v", key, err)
	}
	der, err := tlv.Find(r.card.objects[tagAttestation], 0x53, 0x70)
	if err != nil {
		t.Fatal(err)
	}
	parent, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := cert.CheckSignatureFrom(parent); err != nil {
		t.Error(err)
	}
}

// The certificate of such a key is made in a way of its own, whatever signs it.
func TestCertificatesOfX25519Keys(t *testing.T) {
	of, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for by, kind := range map[Algorithm]x509.PublicKeyAlgorithm{P256: x509.ECDSA, P384: x509.ECDSA, RSA2048: x509.RSA, Ed25519: x509.Ed25519} {
		k, err := makeKey(by)
		if err != nil {
			t.Fatal(err)
		}
		parent := &x509.Certificate{PublicKey: k.public(), PublicKeyAlgorithm: kind}
		der, err := certify(&x509.Certificate{SerialNumber: big.NewInt(1)}, parent, of.PublicKey(), k.private.(crypto.Signer))
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := parent.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature); err != nil {
			t.Errorf("signed by %v: %v", kind, err)
		}
		key, err := x509.ParsePKIXPublicKey(cert.RawSubjectPublicKeyInfo)
		if pub, ok := key.(*ecdh.PublicKey); !ok || !pub.Equal(of.PublicKey()) {
			t.Errorf("signed by %v: of %v, %v", kind, key, err)
		}
	}
}

// Clients ask for the fingerprints of a YubiKey Bio, and go by this answer.
func TestMetadataOfWhatOtherModelsHave(t *testing.T) {
	newRig(t, yubikey()).want(apdu.SWReferenceNotFound, "00F70096", "")
}

// ykman blocks PIN and PUK with what neither can be, before RESET.
func TestYubiKeyCountsGuessesOfAnyForm(t *testing.T) {
	const none = "FFFFFFFFFFFFFFFF"
	r := newRig(t, yubikey())
	for _, sw := range []apdu.Status{0x63C2, 0x63C1, 0x63C0, apdu.SWBlocked} {
		r.want(sw, "00200080", none)
	}
	for _, sw := range []apdu.Status{0x63C2, 0x63C1, 0x63C0, apdu.SWBlocked} {
		r.want(sw, "002C0080", none+none)
	}
	r.want(apdu.OK, "00FB0000", "")
	r.verify("123456")
	r.want(apdu.SWWrongData, "00240080", "313233343536FFFF"+none) // the right one, against none
	r.verify("123456")

	r = newRig(t, nist())
	r.want(apdu.SWWrongData, "00200080", none)
	r.want(apdu.SWWrongData, "002C0080", none+none)
	r.want(0x63C3, "00200080", "")
}

func TestTouchIsAskedFor(t *testing.T) {
	r := newRig(t, yubikey())
	asked, touched := 0, false
	r.card.SetTouch(func() bool { asked++; return touched })
	r.admin()
	r.generate(0x9E, P256, 0xAB, 1, 2)
	if _, sw := r.use(P256, 0x9E, tagChallenge, make([]byte, 32)); sw != apdu.SWSecurityNotSatisfied {
		t.Errorf("not touched: %v", sw)
	}
	touched = true
	if _, sw := r.use(P256, 0x9E, tagChallenge, make([]byte, 32)); sw != apdu.OK || asked != 2 {
		t.Errorf("touched: %v, asked %d times", sw, asked)
	}
}

func TestResetNeedsBothBlocked(t *testing.T) {
	r := newRig(t, yubikey())
	r.admin()
	r.generate(0x9A, P256)
	r.verify("123456")
	r.want(apdu.OK, "00FA0402", "")
	r.want(0x63C4, "00200080", "")
	r.want(apdu.SWConditionsNotSatisfied, "00FB0000", "")
	for range 4 {
		r.send("00200080", padded("999999"))
		r.send("002C0080", append(padded("999999"), padded("999999")...))
	}
	r.want(apdu.OK, "00FB0000", "")
	r.want(0x63C3, "00200080", "")
	r.want(apdu.SWReferenceNotFound, "00F7009A", "")
	r.want(apdu.OK, "00CB3FFF", "5C035FFF01")
}

func TestGlobalPINOpensWhereTheDiscoveryObjectSaysSo(t *testing.T) {
	p := nist()
	p.GlobalPIN = "111111"
	r := newRig(t, p)
	r.admin()
	r.ok("00DB3FFF", unhex("5C035FC109 5301AA"))
	r.ok("00200000", padded("111111"))
	r.want(apdu.OK, "00CB3FFF", "5C035FC109")
	r.ok("00DB3FFF", unhex("7E124F0BA0000003080000100001005F2F024000"))
	r.want(apdu.SWSecurityNotSatisfied, "00CB3FFF", "5C035FC109")
	r.want(apdu.SWReferenceNotFound, "00200000", "313131313131FFFF")
}

// memory is a Store that can be told to fail.
type memory struct {
	records map[string][]byte
	fail    bool
}

func (m *memory) Commit(changes []record.Change) error {
	if m.fail {
		return errors.New("full")
	}
	for _, c := range changes {
		if c.Value == nil {
			delete(m.records, c.Key)
		} else {
			m.records[c.Key] = bytes.Clone(c.Value)
		}
	}
	return nil
}

func (m *memory) Records() (map[string][]byte, error) {
	out := make(map[string][]byte)
	for k, v := range m.records {
		out[k] = bytes.Clone(v)
	}
	return out, nil
}

func TestStateIsKept(t *testing.T) {
	m := &memory{records: make(map[string][]byte)}
	card, err := Create(yubikey(), m, testKit(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t, card}
	r.admin()
	r.generate(0x9A, P256)
	r.ok("00DB3FFF", unhex("5C035FC102 5302AABB"))
	before := r.ok("00F7009A", nil)
	r.want(0x63C2, "00200080", "393939393939FFFF")
	m.fail = true
	r.want(apdu.SWMemoryFailure, "00DB3FFF", "5C035FC102 5301CC")
	m.fail = false
	card, err = Load(m, testKit())
	if err != nil {
		t.Fatal(err)
	}
	r = &rig{t, card}
	r.want(0x63C2, "00200080", "")
	if diff := cmp.Diff(before, r.ok("00F7009A", nil)); diff != "" {
		t.Error(diff)
	}
	if got := r.ok("00CB3FFF", unhex("5C035FC102")); !bytes.Equal(got, unhex("5302AABB")) {
		t.Errorf("%X", got)
	}
	r.admin()
	r.ok("00F6FF9A", nil)
	if card, err = Load(m, testKit()); err != nil || card.keys[0x9A] != nil {
		t.Errorf("a key that was removed is back: %v", err)
	}
}

func FuzzProcess(f *testing.F) {
	f.Add(unhex("00A4040005A00000030800"))
	f.Add(unhex("00CB3FFF055C035FC10500"))
	f.Add(unhex("0087119C267C24820081200000"))
	f.Add(unhex("00FE119A2206200000"))
	f.Add(unhex("00DB3FFF095C035FC1025302AABB"))
	f.Fuzz(func(t *testing.T, command []byte) {
		c := New(yubikey())
		c.admin = true
		c.verified[refPIN] = true
		if len(command) > 1 && command[1] == 0x47 {
			return // a key takes its time
		}
		for range 2 {
			if got := c.Process(command); len(got) < 2 {
				t.Errorf("%X: answer %X", command, got)
			}
		}
	})
}
