package driver_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"log"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// onekeyDriver knows cards with one P-256 key behind a PIN of six digits. It is
// all that such a family of cards takes.
var onekeyDriver = driver.Driver{Name: "onekey", Probe: func(ctx context.Context, conn *apdu.Conn) ([]driver.Backend, error) {
	b := &onekey{conn: conn}
	err := driver.Exclusive(ctx, conn, onekeyAID, func(ctx context.Context, _ driver.Tx) error {
		point, err := b.do(ctx, apdu.Command{INS: 0xCA, P2: 0x86, Le: 256}) // GET DATA: the public key
		if err != nil {
			return err
		}
		b.pub, err = ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
		return err
	})
	if errors.Is(err, apdu.SWFileNotFound) {
		return nil, nil // the card has no such application
	}
	return []driver.Backend{b}, err
}}

var onekeyAID = []byte{0xF0, 'o', 'n', 'e', 'k', 'e', 'y'}

// onekey is the token on such a card.
type onekey struct {
	conn  *apdu.Conn
	pub   *ecdsa.PublicKey
	tries ckr.Tries
}

func (b *onekey) do(ctx context.Context, cmd apdu.Command) (out []byte, err error) {
	err = b.conn.Exclusive(ctx, onekeyAID, func(ctx context.Context, tx *apdu.Tx) error {
		out, err = tx.Do(ctx, cmd)
		return err
	})
	return out, err
}

func (b *onekey) Exclusive(ctx context.Context, f func(ctx context.Context, tx driver.Tx) error) error {
	return driver.Exclusive(ctx, b.conn, onekeyAID, f)
}

func (b *onekey) Alive() bool { return b.conn.Alive() }

func (b *onekey) Info(context.Context) (token.Info, error) {
	return token.Info{
		Label: "One key", Model: "onekey", Serial: "1", Identity: "onekey 1",
		Flags:  token.FlagTokenInitialized | token.FlagUserPINInitialized | token.FlagLoginRequired | driver.TriesFlags(token.User, b.tries),
		MinPIN: 6, MaxPIN: 6, UserTries: b.tries,
	}, nil
}

// Objects lists the two halves of the key. Nobody else can change it.
func (b *onekey) Objects(context.Context, bool) ([]driver.Record, error) {
	p256, _ := object.CurveByName("P-256")
	spki, err := x509.MarshalPKIXPublicKey(b.pub)
	if err != nil {
		return nil, err
	}
	point, _ := b.pub.Bytes()
	common := object.Template{
		object.AttrToken.Is(true), object.AttrLabel.Is("key"), object.AttrID.Is([]byte{1}), object.AttrKeyType.Is(object.KeyEC),
		object.AttrECParams.Is(p256.Params()), object.AttrPublicKeyInfo.Is(spki), object.AttrModifiable.Is(false), object.AttrDestroyable.Is(false),
	}
	return []driver.Record{
		{Ref: "public", Known: common.With(object.AttrClass.Is(object.ClassPublicKey), object.AttrPrivate.Is(false),
			object.AttrUniqueID.Is("1-public"), object.AttrVerify.Is(true), object.AttrECPoint.Is(object.EncodePoint(point)))},
		{Ref: "private", Private: true, Known: common.With(object.AttrClass.Is(object.ClassPrivateKey), object.AttrPrivate.Is(true),
			object.AttrUniqueID.Is("1-private"), object.AttrSign.Is(true), object.AttrSensitive.Is(true), object.AttrExtractable.Is(false))},
	}, nil
}

// Read has nothing to add to the listing.
func (b *onekey) Read(ctx context.Context, ref driver.Ref, _ ...object.Type) (object.Template, error) {
	records, err := b.Objects(ctx, true)
	for _, r := range records {
		if r.Ref == ref {
			return r.Known, nil
		}
	}
	return nil, errors.Join(err, ckr.New(ckr.ObjectHandleInvalid, "read", nil))
}

func (b *onekey) Mechanisms(ref driver.Ref) map[mechanism.Type]mechanism.Info {
	if ref == "public" { // public keys are used in software
		return nil
	}
	sign := mechanism.Info{MinKeySize: 256, MaxKeySize: 256, Flags: mechanism.FlagHW | mechanism.FlagSign}
	return map[mechanism.Type]mechanism.Info{mechanism.TypeECDSA: sign, mechanism.ECDSA{Hash: crypto.SHA256}.Type(): sign}
}

func (b *onekey) Needs(driver.Verb, driver.Ref) driver.Need { return driver.Need{} }

func (b *onekey) Login(ctx context.Context, r token.Role, p token.PIN) error {
	if r == token.SO {
		return ckr.New(ckr.UserTypeInvalid, "", nil)
	}
	_, err := b.do(ctx, apdu.Command{INS: 0x20, P2: 0x01, Data: p.Reveal()}) // VERIFY
	var sw apdu.Status
	switch {
	case err == nil:
		b.tries = ckr.Tries{}
	case errors.As(err, &sw) && sw.Is(apdu.SWTriesLeft):
		b.tries = ckr.Tries{Left: int(sw & 0xF), Known: true}
		return &ckr.Error{Code: driver.StatusCode(sw), Tries: b.tries, Err: err}
	}
	return err
}

func (b *onekey) Logout(ctx context.Context, _ token.Role) error {
	_, err := b.do(ctx, apdu.Command{INS: 0x20, P1: 0xFF, P2: 0x01})
	return err
}

// Sign makes the one signature that the card makes: of a digest, in ASN.1.
func (b *onekey) Sign(ctx context.Context, _ driver.Ref, _ mechanism.Mechanism, digest []byte, _ driver.Auth) ([]byte, error) {
	der, err := b.do(ctx, apdu.Command{INS: 0x2A, P1: 0x9E, P2: 0x9A, Data: digest, Le: 256}) // PSO: COMPUTE DIGITAL SIGNATURE
	if err != nil {
		return nil, err
	}
	return mechanism.ECDSAFromASN1(der, 32)
}

var _ driver.Signer = (*onekey)(nil)

// A driver for a card with one key, in a program that uses it.
func Example() {
	ctx := context.Background()
	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(newOnekeyReader()),
		cryptoki.WithDrivers(onekeyDriver), cryptoki.WithPIN(token.StaticPIN([]byte("123456"))))
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	key, err := m.Key(ctx, "pkcs11:model=onekey")
	if err != nil {
		log.Fatal(err)
	}
	digest := sha256.Sum256([]byte("message"))
	sig, err := key.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		log.Fatal(err)
	}
	var parts struct{ R, S asn1.RawValue }
	_, err = asn1.Unmarshal(sig, &parts)
	fmt.Println(ecdsa.VerifyASN1(key.Public().(*ecdsa.PublicKey), digest[:], sig), err)
	// Output: true <nil>
}
