package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
)

// answerOut is one exchange for machines.
type answerOut struct {
	Command string `json:"command"`
	Name    string `json:"name"`
	Data    string `json:"data"`
	Status  string `json:"status"`
	Meaning string `json:"meaning"`
}

// sendAPDUs sends commands as they are, in one transaction.
func sendAPDUs(ctx context.Context, e *env, args []string) error {
	f := e.flags("apdu")
	reader := f.String("reader", "", "")
	rest, err := parseAll(f, args, 1, 1000)
	if err != nil {
		return err
	}
	var commands []apdu.Command
	for _, text := range rest {
		b, err := hex.DecodeString(strings.NewReplacer(" ", "", ":", "").Replace(text))
		if err != nil {
			return usagef("%q is not in hexadecimal digits", text)
		}
		c, err := apdu.ParseCommand(b)
		if err != nil {
			return usageError{err}
		}
		commands = append(commands, c)
	}
	out := []answerOut{}
	err = e.withCard(ctx, *reader, func(conn *apdu.Conn) error {
		return conn.Exclusive(ctx, nil, func(ctx context.Context, tx *apdu.Tx) error {
			for i, c := range commands {
				data, err := tx.Do(ctx, c)
				status := apdu.Status(0x9000)
				if err != nil && !errors.As(err, &status) {
					return err
				}
				out = append(out, answerOut{rest[i], c.Name(), hex.EncodeToString(data), fmt.Sprintf("%04X", uint16(status)), status.Meaning()})
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	var w strings.Builder
	for _, a := range out {
		fmt.Fprintf(&w, "> %s  %s\n", a.Command, a.Name)
		if a.Data != "" {
			fmt.Fprintf(&w, "< %s\n", a.Data)
		}
		fmt.Fprintf(&w, "< %s  %s\n", a.Status, a.Meaning)
	}
	return e.print(out, strings.TrimSuffix(w.String(), "\n"))
}

// withCard connects to the card in a reader, or in the only one there is.
func (e *env) withCard(ctx context.Context, reader string, f func(conn *apdu.Conn) error) error {
	readers, done, err := e.readers(false)
	if err != nil {
		return err
	}
	defer done()
	if reader == "" {
		if reader, err = onlyReader(ctx, readers); err != nil {
			return err
		}
	}
	var opts []apdu.Option
	if e.trace {
		opts = append(opts, apdu.WithLogger(e.logger()))
	}
	conn, err := apdu.Dial(ctx, readers, reader, opts...)
	if err != nil {
		return err
	}
	defer conn.Close()
	return f(conn)
}

// onlyReader returns the reader that is there, if it is one.
func onlyReader(ctx context.Context, p apdu.Provider) (string, error) {
	all, err := p.Readers(ctx)
	if err != nil {
		return "", err
	}
	switch len(all) {
	case 0:
		return "", ckr.Newf(ckr.SlotIDInvalid, "find the card", "there is no reader")
	case 1:
		return all[0], nil
	}
	return "", usagef("say --reader: one of %s", strings.Join(all, ", "))
}
