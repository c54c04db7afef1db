package piv_test

import (
	"context"
	"encoding/hex"
	"strings"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// other is a token of another application on the card, which only has itself
// selected.
type other struct{ conn *apdu.Conn }

var otherAID = unhex("A000000063504B43532D3135")

func (o other) Exclusive(ctx context.Context, f func(ctx context.Context, tx driver.Tx) error) error {
	return driver.Exclusive(ctx, o.conn, otherAID, func(ctx context.Context, tx driver.Tx) error {
		err := o.conn.Exclusive(ctx, otherAID, func(ctx context.Context, tx *apdu.Tx) error {
			_, err := tx.Do(ctx, apdu.Command{INS: 0xCA, P1: 0x01, P2: 0xA0, Le: 20})
			return err
		})
		if err != nil {
			return err
		}
		return f(ctx, tx)
	})
}

func (o other) Alive() bool { return o.conn.Alive() }

func (other) Info(context.Context) (token.Info, error) {
	return token.Info{Flags: token.FlagTokenInitialized}, nil
}

func (other) Objects(context.Context, bool) ([]driver.Record, error) { return nil, nil }

func (other) Read(context.Context, driver.Ref, ...object.Type) (object.Template, error) {
	return nil, nil
}

func (other) Mechanisms(driver.Ref) map[mechanism.Type]mechanism.Info { return nil }
func (other) Needs(driver.Verb, driver.Ref) driver.Need               { return driver.Need{} }
func (other) Login(context.Context, token.Role, token.PIN) error      { return nil }
func (other) Logout(context.Context, token.Role) error                { return nil }
