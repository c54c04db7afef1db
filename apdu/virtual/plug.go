package virtual

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// DefaultPlug is where vpcd, the virtual reader of pcscd, listens for a card
// to come to its first slot.
const DefaultPlug = "127.0.0.1:35963"

// Messages of one byte from vpcd. Everything longer is a command APDU.
const (
	vpcdOff   = 0x00
	vpcdOn    = 0x01
	vpcdReset = 0x02
	vpcdATR   = 0x04
)

const maxFrame = 1<<16 - 1

// Plug puts the card into a reader of vpcd, which listens at a TCP address,
// DefaultPlug if addr is empty. It serves until ctx is done, and then returns
// ctx's error, or until the other side goes away, and then returns nil. The
// card can be in a Provider's reader meanwhile: both sides see each other as
// programs do that share a card.
func (c *Card) Plug(ctx context.Context, addr string) error {
	if addr == "" {
		addr = DefaultPlug
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("virtual: plug: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	defer conn.Close()

	l := c.newLink(nil)
	defer l.close()
	p := plug{link: l, conn: conn, hurry: acknowledger(conn), frame: make([]byte, maxFrame)}
	err = p.serve(ctx)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return nil
	}
	return fmt.Errorf("virtual: plug: %w", err)
}

// plug is the card's end of a connection to vpcd. Every message has its
// length before it, two bytes.
type plug struct {
	link  *link
	conn  net.Conn
	hurry func() // has the system acknowledge at once what comes next
	frame []byte
}

func (p *plug) serve(ctx context.Context) error {
	for {
		message, err := p.read()
		if err != nil {
			return err
		}
		answer, err := p.answer(ctx, message)
		if err != nil {
			return err
		}
		if answer == nil {
			continue
		}
		if err := p.write(answer); err != nil {
			return err
		}
	}
}

// read returns the next message. vpcd sends length and body in two segments;
// if the first is not acknowledged at once, each exchange takes 40 ms more.
func (p *plug) read() ([]byte, error) {
	var head [2]byte
	p.hurry()
	if _, err := io.ReadFull(p.conn, head[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(head[:]))
	if n == 0 {
		return nil, errors.New("vpcd sent an empty message")
	}
	p.hurry()
	if _, err := io.ReadFull(p.conn, p.frame[:n]); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	return p.frame[:n], nil
}

func (p *plug) write(answer []byte) error {
	out := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(answer)), uint16(len(answer)))
	_, err := p.conn.Write(append(out, answer...))
	return err
}

// answer does what a message asks for; nil is no answer.
func (p *plug) answer(ctx context.Context, message []byte) ([]byte, error) {
	if len(message) > 1 {
		return p.transmit(ctx, message)
	}
	switch message[0] {
	case vpcdOff, vpcdOn, vpcdReset:
		p.link.card.reset(p.link)
	case vpcdATR:
		return p.link.card.ATR(), nil
	}
	return nil, nil
}

// transmit passes a command on. That someone else reset the card is not
// something that vpcd could be told.
func (p *plug) transmit(ctx context.Context, command []byte) ([]byte, error) {
	for {
		answer, err := p.link.transmit(ctx, command)
		if !errors.Is(err, apdu.ErrReset) {
			return answer, err
		}
	}
}
