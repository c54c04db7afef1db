package virtual_test

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

// vpcd is the driver's side of a plug.
type vpcd struct {
	t    *testing.T
	conn net.Conn
}

// plugged starts a driver and plugs a card into it. The channel tells how the
// plug ended.
func plugged(t *testing.T, ctx context.Context, card *virtual.Card) (vpcd, <-chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ended := make(chan error, 1)
	go func() { ended <- card.Plug(ctx, l.Addr().String()) }()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	return vpcd{t, conn}, ended
}

// tell sends a message, length and body in two writes as vpcd does.
func (v vpcd) tell(message string) {
	v.t.Helper()
	body := unhex(v.t, strings.ReplaceAll(message, " ", ""))
	v.conn.Write(binary.BigEndian.AppendUint16(nil, uint16(len(body))))
	if _, err := v.conn.Write(body); err != nil {
		v.t.Fatal(err)
	}
}

func (v vpcd) ask(message string) string {
	v.t.Helper()
	v.tell(message)
	var head [2]byte
	if _, err := io.ReadFull(v.conn, head[:]); err != nil {
		v.t.Fatalf("%s: %v", message, err)
	}
	body := make([]byte, binary.BigEndian.Uint16(head[:]))
	if _, err := io.ReadFull(v.conn, body); err != nil {
		v.t.Fatalf("%s: %v", message, err)
	}
	return strings.ToUpper(hex.EncodeToString(body))
}

func (v vpcd) expect(message, want string) {
	v.t.Helper()
	if got := v.ask(message); got != want {
		v.t.Errorf("%s: %s, want %s", message, got, want)
	}
}

func TestPlugSpeaksVpcd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	v, ended := plugged(t, ctx, virtual.New())
	v.expect("04", "3BD596028131FE654F734549441E")
	v.tell("01")
	v.expect("00DA010113 31313131FFFFFFFF 3232323232323232 030A00", "9000")
	v.expect("004404000C A000000063504B43532D3135", "9000")
	v.expect(verifyPIN, "9000")
	v.expect("00200001", "9000")
	for _, power := range []string{"02", "00", "01"} {
		v.tell(power)
		v.expect("00200001", "63C3")
		v.expect(verifyPIN, "9000")
	}
	v.tell("7F") // not known, no answer
	v.expect("0000", "6700")
	v.expect("00A40000000000"+strings.Repeat("00", 70000/2), "6700")
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Plug: %v", err)
	}
}

func TestPlugEndsWithItsPeer(t *testing.T) {
	v, ended := plugged(t, t.Context(), virtual.New())
	v.expect("00200001", "9000")
	v.conn.Close()
	if err := <-ended; err != nil {
		t.Errorf("Plug: %v", err)
	}
	v, ended = plugged(t, t.Context(), virtual.New())
	v.conn.Write([]byte{0, 0})
	if err := <-ended; err == nil {
		t.Error("an empty message was taken")
	}
	v, ended = plugged(t, t.Context(), virtual.New())
	v.conn.Write([]byte{0, 5, 1})
	v.conn.Close()
	if err := <-ended; !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a message: %v", err)
	}
	if err := virtual.New().Plug(t.Context(), "127.0.0.1:1"); err == nil {
		t.Error("plugged into nothing")
	}
	card := virtual.New()
	v, ended = plugged(t, t.Context(), card)
	v.expect("00200001", "9000")
	card.Close()
	v.tell("00200001")
	if err := <-ended; !errors.Is(err, apdu.ErrRemoved) {
		t.Errorf("a closed card: %v", err)
	}
}

func TestAPlugIsAnotherProgram(t *testing.T) {
	card := virtual.New()
	p := virtual.Single(card)
	c := connect(t, p)
	initialise(t, c)
	v, _ := plugged(t, t.Context(), card)
	begin(t, c).End()
	if !begin(t, c).Undisturbed {
		t.Error("disturbed by nobody")
	}
	// The plug waits for the end of the transaction.
	v.tell("00200001")
	send(t, c, "00A40000")
	c.Close()
	var head [4]byte
	if _, err := io.ReadFull(v.conn, head[:]); err != nil || string(head[:]) != "\x00\x02\x63\xC3" {
		t.Errorf("answer %X, %v", head, err)
	}
	c = connect(t, p)
	begin(t, c).End()
	v.expect("00200001", "63C3")
	begun := begin(t, c)
	if begun.Undisturbed {
		t.Error("the plug's command went unnoticed")
	}
	begun.End()
	// Its power is everybody's.
	v.tell("02")
	v.expect("00200001", "63C3")
	fails(t, c, apdu.ErrReset)
	// Resets by others are nothing that it could be told of.
	p.Reset(reader)
	v.expect("00200001", "63C3")
}
