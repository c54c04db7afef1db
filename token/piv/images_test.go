package piv_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/piv"
)

var update = flag.Bool("update", false, "write the golden files")

// today is the day on which the cards are judged.
var today = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// TestImages opens every card of the test set, reads every object, and signs
// and decrypts with every key. What is found out about each card is held in a
// table.
func TestImages(t *testing.T) {
	var table bytes.Buffer
	for _, file := range images(t) {
		i := image(t, file)
		fmt.Fprintf(&table, "# %s\n", i.Name)
		t.Run(i.Name, func(t *testing.T) {
			r := newRig(t, virtual.WithPIVImage(i))
			r.describe(&table)
		})
	}
	golden := filepath.Join("testdata", "images.txt")
	if *update {
		os.MkdirAll("testdata", 0o755)
		if err := os.WriteFile(golden, table.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), table.String()); diff != "" {
		t.Error(diff)
	}
}

func (r *rig) describe(out *bytes.Buffer) {
	info, err := r.token.Info(r.Context())
	r.must(err)
	fmt.Fprintf(out, "token %q serial %s\n", info.Label, info.Serial)
	s := r.open("")
	r.must(s.Login(r.Context(), token.User, pin(userPIN)))
	for _, o := range r.find(s) {
		label, err := object.Get(r.Context(), o, object.AttrLabel)
		r.must(err)
		fmt.Fprintf(out, "%v %q: %s\n", o.Class(), label, r.finding(s, o))
	}
	r.must(s.Logout(r.Context()))
	for _, f := range r.inspect(piv.Inspection{At: today, Issuers: issuers(r.T), PIN: pin(userPIN)}) {
		fmt.Fprintf(out, "finding: %v\n", f)
	}
}

// inspect has the card inspected by a program of its own.
func (r *rig) inspect(in piv.Inspection) []piv.Finding {
	r.Helper()
	conn, err := apdu.Dial(r.Context(), r.readers, "Virtual 00")
	r.must(err)
	defer conn.Close()
	app, err := piv.Open(r.Context(), conn)
	r.must(err)
	found, err := app.Inspect(r.Context(), in)
	r.must(err)
	return found
}

// issuers are the authorities that the cards of the test set come from.
func issuers(t *testing.T) (list []*x509.Certificate) {
	t.Helper()
	rest, err := os.ReadFile(filepath.Join("testdata", "issuers", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return list
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
}

// finding is what can be said of one object.
func (r *rig) finding(s *session.Session, o *object.Object) string {
	switch o.Class() {
	case object.ClassPrivateKey:
		return r.tryKey(s, o)
	case object.ClassPublicKey:
		bits, err := object.Get(r.Context(), o, object.AttrModulusBits)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("RSA %d", bits)
	case object.ClassCertificate:
		return r.tryCertificate(o)
	}
	v, err := object.Get(r.Context(), o, object.AttrValue)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d bytes, %x", len(v), sha256.Sum256(v))[:40]
}

func (r *rig) tryCertificate(o *object.Object) string {
	v, err := object.Get(r.Context(), o, object.AttrValue)
	if err != nil {
		return err.Error()
	}
	c, err := x509.ParseCertificate(v)
	if err != nil {
		return fmt.Sprintf("%d bytes, %v", len(v), err)
	}
	state := "good"
	switch {
	case today.After(c.NotAfter):
		state = "expired"
	case today.Before(c.NotBefore):
		state = "not yet valid"
	}
	return fmt.Sprintf("%q, %s to %s, %s", c.Subject.CommonName, c.NotBefore.Format(time.DateOnly), c.NotAfter.Format(time.DateOnly), state)
}

func (r *rig) tryKey(s *session.Session, o *object.Object) string {
	key, err := s.Key(r.Context(), o)
	if err != nil {
		return err.Error()
	}
	always, _ := object.Get(r.Context(), o, object.AttrAlwaysAuthenticate)
	digest := sha256.Sum256([]byte("message"))
	op, err := s.NewSign(r.Context(), mechanism.RSAPKCS{Hash: crypto.SHA256}, o)
	if err != nil {
		return err.Error()
	}
	defer op.Close()
	if always {
		r.must(op.Login(r.Context(), pin(userPIN)))
	}
	op.Write([]byte("message"))
	sig, err := op.Sum(r.Context())
	if err != nil {
		return "sign: " + err.Error()
	}
	pub := key.Public().(*rsa.PublicKey)
	if err := rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest[:], sig); err != nil {
		return err.Error()
	}
	cryptogram, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, pub, []byte("secret"), nil)
	r.must(err)
	dec, err := s.NewDecrypt(r.Context(), mechanism.RSAOAEP{Hash: crypto.SHA256, MGF: crypto.SHA256}, o)
	if err != nil {
		return err.Error()
	}
	defer dec.Close()
	if always {
		r.must(dec.Login(r.Context(), pin(userPIN)))
	}
	plain, err := dec.Decrypt(r.Context(), cryptogram)
	if err != nil {
		return "decrypt: " + err.Error()
	}
	if string(plain) != "secret" {
		return fmt.Sprintf("decrypts to %q", plain)
	}
	return "signs, decrypts"
}
