package piv_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token/piv"
)

// golden is a government card with nothing wrong, by its number.
func golden(t *testing.T, number int) virtual.PIVImage {
	t.Helper()
	return image(t, images(t)[number-1])
}

// found has an image inspected and returns what was found, without details.
func found(t *testing.T, i virtual.PIVImage, in piv.Inspection) (list []string) {
	t.Helper()
	in.At = today
	for _, f := range newRig(t, virtual.WithPIVImage(i)).inspect(in) {
		list = append(list, fmt.Sprintf("%s: %s", f.Object, f.Kind))
	}
	return list
}

// put sets an object of an image.
func put(tag uint32, value []byte) func(i virtual.PIVImage) {
	return func(i virtual.PIVImage) {
		if value == nil {
			delete(i.Objects, tag)
			return
		}
		i.Objects[tag] = value
	}
}

// element replaces an element in an object of an image.
func element(tag uint32, inner tlv.Tag, change func(v []byte) []byte) func(i virtual.PIVImage) {
	return func(i virtual.PIVImage) {
		content, err := tlv.Find(i.Objects[tag], 0x53)
		if err != nil {
			panic(err)
		}
		var out []byte
		for e, err := range tlv.Parse(content) {
			if err != nil {
				panic(err)
			}
			if e.Tag == inner {
				e.Raw = change(bytes.Clone(e.Value))
			}
			out = append(out, e.Raw...)
		}
		i.Objects[tag] = tlv.New(0x53, out)
	}
}

// A certificate that can be read although its object is not quite right is
// read, judged as any other, and what is wrong is found.
func TestInspectionFindsObjectsThatAreNotQuiteRight(t *testing.T) {
	const auth = 0x5FC105
	for name, change := range map[string]func(i virtual.PIVImage){
		"called compressed": element(auth, 0x71, func([]byte) []byte { return tlv.New(0x71, []byte{1}) }),
		"zeros behind it":   element(auth, 0x70, func(v []byte) []byte { return tlv.New(0x70, v, make([]byte, 9)) }),
		"no CertInfo":       element(auth, 0x71, func([]byte) []byte { return nil }),
	} {
		i := golden(t, 1)
		if len(found(t, i, piv.Inspection{})) != 0 {
			t.Fatal("something is wrong with the card itself")
		}
		change(i)
		got := found(t, i, piv.Inspection{})
		if want := []string{"Certificate for PIV Authentication: damaged"}; !cmp.Equal(got, want) {
			t.Errorf("%s: %q", name, got)
		}
		r := newRig(t, virtual.WithPIVImage(i))
		if v, err := object.Get(t.Context(), r.one(r.open(""), object.ClassCertificate, 1), object.AttrValue); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if _, err := x509.ParseCertificate(v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestInspectionFinds(t *testing.T) {
	const (
		chuid    = "Card Holder Unique Identifier"
		security = "Security Object"
		prints   = "Cardholder Fingerprints"
	)
	discovery := func(policy ...byte) []byte {
		return tlv.New(0x7E, tlv.New(0x4F, unhex("A000000308000010000100")), tlv.New(0x5F2F, policy))
	}
	for name, c := range map[string]struct {
		change func(i virtual.PIVImage)
		want   []string
	}{
		"nothing":                {func(virtual.PIVImage) {}, nil},
		"no CHUID":               {put(0x5FC102, nil), []string{chuid + ": missing", security + ": mismatch", security + ": unverified", "Cardholder Facial Image: unverified", prints + ": unverified"}},
		"no certificate":         {put(0x5FC101, nil), []string{"Certificate for Card Authentication: missing"}},
		"no fingerprints":        {put(0x5FC103, nil), []string{prints + ": missing", security + ": mismatch"}},
		"a CHUID of junk":        {put(0x5FC102, tlv.New(0x53, []byte{0x30, 0x50, 0x00})), []string{chuid + ": damaged", chuid + ": tampered", security + ": unverified", "Cardholder Facial Image: unverified", prints + ": unverified"}},
		"an unsigned CHUID":      {element(0x5FC102, 0x3E, func([]byte) []byte { return tlv.New(0x3E) }), []string{chuid + ": unsigned", chuid + ": tampered", security + ": unverified", "Cardholder Facial Image: unverified", prints + ": unverified"}},
		"a signature of junk":    {element(0x5FC102, 0x3E, func(v []byte) []byte { return tlv.New(0x3E, v[:100]) }), []string{chuid + ": damaged", chuid + ": tampered", security + ": unverified", "Cardholder Facial Image: unverified", prints + ": unverified"}},
		"another expiration":     {element(0x5FC102, 0x35, func([]byte) []byte { return tlv.New(0x35, []byte("20321203")) }), []string{chuid + ": tampered", chuid + ": tampered", "Printed Information: mismatch"}},
		"no expiration":          {element(0x5FC102, 0x35, func([]byte) []byte { return nil }), []string{chuid + ": damaged", chuid + ": tampered", chuid + ": tampered"}},
		"a short GUID":           {element(0x5FC102, 0x34, func(v []byte) []byte { return tlv.New(0x34, v[1:]) }), []string{chuid + ": damaged", chuid + ": tampered", chuid + ": tampered"}},
		"printed otherwise":      {element(0x5FC109, 0x01, func([]byte) []byte { return tlv.New(0x01, []byte("Eve")) }), []string{"Printed Information: tampered"}},
		"no record":              {put(0x5FC103, tlv.New(0x53, tlv.New(0xBC, []byte("x")), tlv.New(0xFE))), []string{prints + ": damaged", prints + ": tampered"}},
		"a longer record":        {element(0x5FC103, 0xBC, func(v []byte) []byte { return tlv.New(0xBC, v, []byte{0}) }), []string{prints + ": damaged", prints + ": tampered"}},
		"no hashes":              {element(0x5FC106, 0xBB, func([]byte) []byte { return nil }), []string{security + ": damaged"}},
		"no mapping":             {element(0x5FC106, 0xBA, func(v []byte) []byte { return tlv.New(0xBA, v[1:]) }), []string{security + ": damaged"}},
		"another mapping":        {element(0x5FC106, 0xBA, func(v []byte) []byte { return tlv.New(0xBA, v, []byte{9, 0x30, 0x00}, []byte{8, 0xAB, 0xCD}) }), []string{security + ": damaged", security + ": damaged"}},
		"a certificate of junk":  {put(0x5FC105, tlv.New(0x53, tlv.New(0x70, []byte("junk")), tlv.New(0x71, []byte{0}), tlv.New(0xFE))), []string{"Certificate for PIV Authentication: damaged"}},
		"no policy":              {put(0x7E, tlv.New(0x7E, tlv.New(0x4F, unhex("A000000308000010000100")))), []string{"Discovery Object: damaged"}},
		"another application":    {put(0x7E, tlv.New(0x7E, tlv.New(0x4F, []byte("12345")), tlv.New(0x5F2F, []byte{0x40, 0}))), []string{"Discovery Object: mismatch"}},
		"no preference":          {put(0x7E, discovery(0x60, 0)), []string{"Discovery Object: mismatch"}},
		"a global preference":    {put(0x7E, discovery(0x40, 0x20)), []string{"Discovery Object: mismatch"}},
		"comparison on the card": {put(0x7E, discovery(0x58, 0)), []string{"Discovery Object: mismatch", "Discovery Object: mismatch"}},
		"history of none":        {put(0x5FC10C, tlv.New(0x53, unhex("C10100C20100FE00"))), nil},
		"history of too many":    {put(0x5FC10C, tlv.New(0x53, unhex("C10111C20110FE00"))), []string{"Key History Object: damaged"}},
		"history of others":      {put(0x5FC10C, tlv.New(0x53, unhex("C10102C20100FE00"))), []string{"Key History Object: mismatch"}},
		"history elsewhere":      {put(0x5FC10C, tlv.New(0x53, unhex("C10100C20102FE00"))), []string{"Key History Object: mismatch"}},
		"history with a place":   {put(0x5FC10C, tlv.New(0x53, unhex("C10100C20100F30178FE00"))), []string{"Key History Object: mismatch"}},
		"no history": {func(i virtual.PIVImage) { i.Objects[0x5FC10D] = i.Objects[0x5FC10B] },
			[]string{"Private key for Retired Key Management 1: missing", "Key History Object: missing"}},
		"no key":        {func(i virtual.PIVImage) { delete(i.Keys, 0x9D) }, []string{"Private key for Key Management: missing"}},
		"another's key": {func(i virtual.PIVImage) { i.Keys[0x9D] = i.Keys[0x9A] }, []string{"Private key for Key Management: mismatch"}},
		"a key that does": {func(i virtual.PIVImage) {
			i.Objects[0x5FC10C], i.Objects[0x5FC10D], i.Keys[0x82] = tlv.New(0x53, unhex("C10101C20100FE00")), i.Objects[0x5FC10B], i.Keys[0x9D]
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			i := golden(t, 1)
			c.change(i)
			got := found(t, i, piv.Inspection{PIN: pin(userPIN)})
			if diff := cmp.Diff(sorted(c.want), sorted(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func sorted(list []string) map[string]int {
	m := make(map[string]int)
	for _, s := range list {
		m[s]++
	}
	return m
}

func TestInspectionWithoutPINVerifiesNone(t *testing.T) {
	for _, p := range personas() {
		r := newRig(t, virtual.WithPIV(p), virtual.WithPIVImage(golden(t, 1)))
		if found := r.inspect(piv.Inspection{At: today, Issuers: issuers(t)}); len(found) > 0 {
			t.Errorf("found %v", found)
		}
		for _, c := range r.exchanges() {
			if c[2:4] == "20" || c[2:4] == "87" && c[6:8] != "9E" {
				t.Errorf("sent %s", c)
			}
			if strings.HasPrefix(c, "00CB3FFF055C035FC103") || strings.HasPrefix(c, "00CB3FFF055C035FC108") {
				t.Errorf("asked for what needs the PIN: %s", c)
			}
		}
	}
}

// What the key of 9E is, is seen without a PIN; YubiKeys tell of all keys.
func TestInspectionComparesKeysThatNeedNoPIN(t *testing.T) {
	for name, want := range map[string]int{"nist": 1, "yubikey": 2} {
		r := newRig(t, virtual.WithPIV(personas()[name]), virtual.WithPIVImage(golden(t, 23)))
		if found := r.inspect(piv.Inspection{At: today}); len(found) != want || found[0].Kind != piv.Mismatch {
			t.Errorf("%s: found %v", name, found)
		}
	}
}

func TestInspectionWithAWrongPINSpendsOneTry(t *testing.T) {
	r := newRig(t, virtual.WithPIVImage(golden(t, 1)))
	conn, err := apdu.Dial(t.Context(), r.readers, "Virtual 00")
	r.must(err)
	defer conn.Close()
	app, err := piv.Open(t.Context(), conn)
	r.must(err)
	r.exchanges()
	_, err = app.Inspect(t.Context(), piv.Inspection{PIN: pin("999999")})
	r.code(err, ckr.PINIncorrect)
	sent := 0
	for _, c := range r.exchanges() {
		if strings.HasPrefix(c, "0020") {
			sent++
		}
	}
	if sent != 1 {
		t.Errorf("%d VERIFY", sent)
	}
}

// The card does not stay open for others.
func TestInspectionLeavesNoPINVerified(t *testing.T) {
	for _, p := range personas() {
		r := newRig(t, virtual.WithPIV(p), virtual.WithPIVImage(golden(t, 1)))
		r.inspect(piv.Inspection{PIN: pin(userPIN)})
		conn, err := apdu.Dial(t.Context(), r.readers, "Virtual 00")
		r.must(err)
		defer conn.Close()
		err = conn.Exclusive(t.Context(), unhex("A00000030800001000"), func(ctx context.Context, tx *apdu.Tx) error {
			_, err := tx.Do(ctx, apdu.Command{INS: 0x20, P2: 0x80})
			return err
		})
		if !errors.Is(err, apdu.SWTriesLeft) {
			t.Errorf("status %v", err)
		}
	}
}

// A YubiKey that its holder set up is not missed what an issuer would put
// there, but what is wrong with it is told.
func TestInspectionOfAHoldersOwnCard(t *testing.T) {
	r := newRig(t, virtual.WithPIV(virtual.YubiKey57()))
	s := r.user(adminHex)
	_, priv := r.generate(s, mechanism.ECKeyPairGen{}, params("P-256"), 0x01)
	key, err := s.Key(t.Context(), priv)
	r.must(err)
	r.store(s, key, 0x01)
	of := onToken.With(object.AttrClass.Is(object.ClassData), object.AttrPrivate.Is(false))
	_, err = s.Create(t.Context(), of.With(object.AttrLabel.Is("Card Holder Unique Identifier"),
		object.AttrValue.Is(unhex("3019D4E739DA739CED39CE739D836858210842108421C84210C3EB3410000102030405060708090A0B0C0D0E0F350832303530303130313E00FE00")))...)
	r.must(err)
	if got := r.inspect(piv.Inspection{PIN: pin(userPIN)}); len(got) > 0 {
		t.Errorf("found %v", got)
	}
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	r.must(err)
	r.storeDER(s, r.certify(other), 0x02)
	_, priv = r.generate(s, mechanism.ECKeyPairGen{}, params("P-256"), 0x03)
	r.storeDER(s, r.certify(other), 0x03)
	_ = priv
	var got []string
	for _, f := range r.inspect(piv.Inspection{}) {
		got = append(got, f.String())
	}
	want := []string{
		"Private key for Digital Signature: missing: the slot has no key that the certificate could be for",
		"Private key for Key Management: mismatch: it is not the key of the certificate",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWeakCertificates(t *testing.T) {
	i := golden(t, 1)
	k, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "weak"},
		NotBefore: today.AddDate(-1, 0, 0), NotAfter: today.AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	i.Objects[0x5FC10B] = tlv.New(0x53, tlv.New(0x70, der), tlv.New(0x71, []byte{0}), tlv.New(0xFE))
	got := found(t, i, piv.Inspection{})
	if len(got) != 1 || got[0] != "Certificate for Key Management: weak" {
		t.Errorf("found %v", got)
	}
}
