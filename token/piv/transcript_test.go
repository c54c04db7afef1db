package piv_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"iter"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/replay"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/slot"
	"github.com/go-cryptoki/cryptoki/token/driver"
	"github.com/go-cryptoki/cryptoki/token/piv"
)

// recorded is a card that answers what another one was heard to answer, to
// whichever program, and says no to everything else.
type recorded struct {
	apdu.Anchor
	atr     []byte
	answers map[string]string // whole answers with their status, by command
	uses    [][]byte          // GENERAL AUTHENTICATE with keys: P1, P2, data
	chain   []byte
	pending []byte
}

// load joins the parts of commands and answers.
func load(t *testing.T, file string) *recorded {
	t.Helper()
	tr, err := replay.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := &recorded{atr: tr.Head.ATR, answers: make(map[string]string)}
	var chain []byte
	last := ""
	for _, e := range tr.Exchanges {
		cmd, err := apdu.ParseCommand(e.Command)
		if err != nil {
			continue
		}
		data, sw := e.Response[:len(e.Response)-2], e.Response[len(e.Response)-2:]
		if cmd.CLA&0x10 != 0 {
			chain = append(chain, cmd.Data...)
			continue
		}
		if cmd.INS != 0xC0 {
			whole := append(chain, cmd.Data...)
			chain = nil
			last = key(cmd, whole)
			if cmd.INS == 0x87 && cmd.P2 != 0x9B {
				c.uses = append(c.uses, append([]byte{cmd.P1, cmd.P2}, whole...))
			}
			if cmd.Le > 0 && cmd.Le < 256 && sw[0] == 0x61 {
				last = "" // the beginning of an object
				continue
			}
			c.answers[last] = ""
		}
		if last != "" {
			c.answers[last] += string(data)
			if sw[0] != 0x61 {
				c.answers[last] += string(sw)
				last = ""
			}
		}
	}
	return c
}

func key(cmd apdu.Command, data []byte) string {
	if cmd.INS == 0xA4 && bytes.HasPrefix(data, []byte{0xA0, 0x00, 0x00, 0x03, 0x08}) {
		return "select"
	}
	return fmt.Sprintf("%02X%02X%02X%X", cmd.INS, cmd.P1, cmd.P2, data)
}

func (c *recorded) Transmit(_ context.Context, raw []byte) ([]byte, error) {
	cmd, err := apdu.ParseCommand(raw)
	if err != nil {
		return []byte{0x67, 0x00}, nil
	}
	if cmd.INS == 0xC0 {
		return c.deliver(cmd.Le), nil
	}
	c.chain = append(c.chain, cmd.Data...)
	if cmd.CLA&0x10 != 0 {
		return []byte{0x90, 0x00}, nil
	}
	data := c.chain
	c.chain = nil
	answer, ok := c.answers[key(cmd, data)]
	switch {
	case ok && len(answer) >= 2:
	case cmd.INS == 0x20, cmd.INS == 0xA4:
		answer = "\x90\x00"
	case cmd.INS == 0xCB:
		answer = "\x6A\x82"
	default:
		answer = "\x6D\x00"
	}
	c.pending = []byte(answer)
	return c.deliver(cmd.Le), nil
}

// deliver answers with as much as fits.
func (c *recorded) deliver(le int) []byte {
	n := len(c.pending) - 2
	if le == 0 {
		le = 256
	}
	if n <= le {
		out := c.pending
		c.pending = nil
		return out
	}
	out := append(bytes.Clone(c.pending[:le]), 0x61, byte(min(n-le, 256)))
	c.pending = c.pending[le:]
	return out
}

func (c *recorded) Info() apdu.Info {
	return apdu.Info{Reader: "Recorded", ATR: c.atr, Protocol: apdu.T1}
}
func (c *recorded) Close() error                              { return nil }
func (c *recorded) Readers(context.Context) ([]string, error) { return []string{"Recorded"}, nil }
func (c *recorded) Connect(context.Context, string) (apdu.Transport, error) {
	return c, nil
}

func (c *recorded) Watch(ctx context.Context) iter.Seq2[apdu.Event, error] {
	return func(yield func(apdu.Event, error) bool) {
		if yield(apdu.Event{Reader: "Recorded", Present: true, ATR: c.atr, Initial: true, Settled: true, Count: 1}, nil) {
			<-ctx.Done()
		}
	}
}

// What other programs got from a card, this driver gets, too: the certificates
// that stand in a transcript, and what the card computed.
func TestTranscriptsOfARealApplet(t *testing.T) {
	files, err := filepath.Glob("testdata/pivapplet/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d transcripts, %v", len(files), err)
	}
	same := 0
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".jsonl"), func(t *testing.T) {
			c := load(t, file)
			list := slot.NewList(c, []driver.Driver{piv.Driver()})
			defer list.Close()
			slots, err := list.Slots(t.Context(), true)
			if err != nil || len(slots) != 1 {
				t.Fatalf("%d slots, %v", len(slots), err)
			}
			r := &rig{T: t}
			if r.token, err = slots[0].Token(t.Context()); err != nil {
				t.Fatal(err)
			}
			s := r.user("")
			c.certificates(r, s)
			same += c.computed(r, s)
		})
	}
	if same < 30 {
		t.Errorf("%d results were compared", same)
	}
}

// certificates compares all of them.
func (c *recorded) certificates(r *rig, s *session.Session) {
	r.Helper()
	for id, tag := range map[byte]string{1: "5FC105", 2: "5FC10A", 3: "5FC10B", 4: "5FC101"} {
		answer, ok := c.answers["CB3FFF5C03"+tag]
		if !ok || !strings.HasSuffix(answer, "\x90\x00") {
			continue
		}
		der, err := tlv.Find([]byte(answer[:len(answer)-2]), 0x53, 0x70)
		if err != nil {
			r.Fatal(err)
		}
		if _, err := x509.ParseCertificate(der); err != nil {
			r.Fatal(err)
		}
		v, err := object.Get(r.Context(), r.one(s, object.ClassCertificate, id), object.AttrValue)
		if err != nil || !bytes.Equal(v, der) {
			r.Errorf("certificate %d: %d bytes, %v", id, len(v), err)
		}
	}
}

// computed asks for the same signatures and decipherments. An answer that is
// not of the certificate's key is refused.
func (c *recorded) computed(r *rig, s *session.Session) (same int) {
	r.Helper()
	for _, use := range c.uses {
		input, err := tlv.Find(use[2:], 0x7C, 0x81)
		answer := c.answers[fmt.Sprintf("87%02X%02X%X", use[0], use[1], use[2:])]
		id := map[byte]byte{0x9A: 1, 0x9C: 2, 0x9D: 3, 0x9E: 4}[use[1]]
		if err != nil || id == 0 || !strings.HasSuffix(answer, "\x90\x00") {
			continue
		}
		want, err := tlv.Find([]byte(answer[:len(answer)-2]), 0x7C, 0x82)
		if err != nil {
			r.Fatal(err)
		}
		found := r.find(s, object.AttrClass.Is(object.ClassPrivateKey), object.AttrID.Is([]byte{id}))
		if len(found) == 0 {
			r.Logf("slot %02X: no key is seen", use[1])
			continue // the program asked for no certificate, and the card has no metadata
		}
		var m mechanism.Mechanism = mechanism.RSAX509{}
		if use[0] == 0x11 {
			m = mechanism.ECDSA{}
			if want, err = mechanism.ECDSAFromASN1(want, 32); err != nil {
				r.Fatal(err)
			}
		}
		op, err := s.NewSign(r.Context(), m, found[0])
		if err != nil {
			r.Errorf("slot %02X: %v", use[1], err)
			continue
		}
		if use[1] == 0x9C {
			r.must(op.Login(r.Context(), pin(userPIN)))
		}
		op.Write(input)
		got, err := op.Sum(r.Context())
		switch {
		case err != nil && strings.Contains(err.Error(), "not that of the certificate"):
			r.Logf("slot %02X: %v", use[1], err)
		case err != nil || !bytes.Equal(got, want):
			r.Errorf("slot %02X: %X, %v, want %X", use[1], got, err, want)
		default:
			same++
		}
		op.Close()
	}
	return same
}
