package pcscd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu/pcsc/internal/winscard"
)

// Error is a return code of PC/SC other than success.
type Error = winscard.Error

// Reader is the state of one reader.
type Reader = winscard.Reader

// Versions of the protocol that are understood.
const (
	major    = 4
	minMinor = 4
	maxMinor = 6
)

// ErrVersion says that the daemon speaks another protocol.
var ErrVersion = errors.New("pcscd speaks another version of its protocol")

// handshake bounds the time in which a daemon must have answered the first
// requests. It is long, as a daemon that just starts answers only when it has
// found its readers.
const handshake = 10 * time.Second

// Client is one connection to the daemon, with a context of PC/SC. It is used
// by one goroutine at a time, except for Interrupt and Abort. Its errors are
// [Error], of the daemon, or of the connection, which is of no use then.
type Client struct {
	conn    net.Conn
	minor   uint32
	context uint32
	buffer  []byte
	wake    chan struct{} // of a Wait that polls
}

// errRefused says that the daemon does not take this version.
var errRefused = errors.New("version refused")

// Dial connects to the daemon that listens at a socket and establishes a
// context. Daemons that take a single version refuse the first that is tried
// and name theirs. Errors match winscard.NoService if nobody listens.
func Dial(ctx context.Context, socket string) (*Client, error) {
	minor := uint32(minMinor)
	for {
		c, theirs, err := dial(ctx, socket, minor)
		if !errors.Is(err, errRefused) {
			return c, err
		}
		if theirs[0] != major || theirs[1] <= minor || theirs[1] > maxMinor {
			return nil, fmt.Errorf("%w: %d:%d", ErrVersion, int32(theirs[0]), int32(theirs[1]))
		}
		minor = theirs[1]
	}
}

func dial(ctx context.Context, socket string, minor uint32) (*Client, [2]uint32, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		} else {
			err = fmt.Errorf("%w: %w", winscard.NoService, err)
		}
		return nil, [2]uint32{}, err
	}
	c := &Client{conn: conn, minor: minor, wake: make(chan struct{}, 1)}
	conn.SetDeadline(time.Now().Add(handshake))
	stop := context.AfterFunc(ctx, c.Abort)
	theirs, err := c.establish()
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, theirs, err
	}
	conn.SetDeadline(time.Time{})
	return c, theirs, nil
}

// establish agrees on the version and gets a context.
func (c *Client) establish() (theirs [2]uint32, err error) {
	reply, err := c.call(request(nil, cmdVersion, versionSize, major, c.minor, 0), versionSize)
	if err != nil {
		return theirs, fmt.Errorf("pcscd does not talk to us, as it may be told not to: %w", err)
	}
	theirs = [2]uint32{field(reply, 0), field(reply, 1)}
	if err := result(reply); err != nil {
		return theirs, fmt.Errorf("%w: %w", errRefused, err)
	}
	const system = 2 // the scope; the daemon knows no other
	reply, err = c.call(request(nil, cmdEstablish, establishSize, system, 0, 0), establishSize)
	if err != nil {
		return theirs, err
	}
	c.context = field(reply, 1)
	if err := result(reply); err != nil {
		return theirs, fmt.Errorf("establish context: %w", err)
	}
	return theirs, nil
}

// call sends one request and reads the reply, which is good until the next
// call.
func (c *Client) call(request []byte, size int) ([]byte, error) {
	if _, err := c.conn.Write(request); err != nil {
		return nil, c.dead(err)
	}
	return c.receive(size)
}

// receive reads so many bytes.
func (c *Client) receive(size int) ([]byte, error) {
	if cap(c.buffer) < size {
		c.buffer = make([]byte, size)
	}
	b := c.buffer[:size]
	if _, err := io.ReadFull(c.conn, b); err != nil {
		return nil, c.dead(err)
	}
	return b, nil
}

// dead says that the connection is of no use any more: the daemon went away,
// or what it said cannot be read on from.
func (c *Client) dead(err error) error {
	c.conn.Close()
	return fmt.Errorf("%w: %w", winscard.ServiceStopped, err)
}

// Readers returns the readers and their state.
func (c *Client) Readers() ([]Reader, error) {
	size := fixedReaders * readerSize
	command := cmdReaders
	if c.minor >= 6 {
		reply, err := c.call(request(nil, cmdReadersSize, 0), 4)
		if err != nil {
			return nil, err
		}
		n := field(reply, 0)
		if n > maxReaders {
			return nil, c.dead(fmt.Errorf("%w: %d readers", errGarbled, n))
		}
		size, command = int(n)*readerSize, cmdReadersArray
	}
	reply, err := c.call(request(nil, command, 0), size)
	if err != nil {
		return nil, err
	}
	return parseReaders(reply)
}

// Watch returns the readers and their state, and asks to be told of the next
// change, which Wait waits for.
func (c *Client) Watch() ([]Reader, error) {
	if c.polls() {
		return c.Readers()
	}
	reply, err := c.call(request(nil, cmdWait, 0), fixedReaders*readerSize)
	if err != nil {
		return nil, err
	}
	return parseReaders(reply)
}

// Wait returns when a reader or a card has changed since Watch, or at once
// after Interrupt. It may also return for no reason.
func (c *Client) Wait() error {
	if c.polls() {
		return c.pause()
	}
	reply, err := c.receive(waitSize)
	if err != nil {
		return err
	}
	if err := result(reply); err != nil && !errors.Is(err, winscard.Cancelled) {
		return err
	}
	return nil
}

// Interrupt has a Wait return that is under way, or that follows a Watch. It
// may be called at any time.
func (c *Client) Interrupt() {
	if c.polls() {
		select {
		case c.wake <- struct{}{}:
		default:
		}
		return
	}
	// The daemon answers only a client that waits; an error shows in Wait.
	c.conn.Write(request(nil, cmdStopWaiting, 0))
}

// polls tells that the daemon's events are not used: with 4:6 the number of
// readers has no bound, and what a change is answered with is not settled.
func (c *Client) polls() bool { return c.minor >= 6 }

// pollTime is how long a change may go unnoticed then.
const pollTime = 250 * time.Millisecond

func (c *Client) pause() error {
	t := time.NewTimer(pollTime)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.wake:
	}
	return nil
}

// Abort makes the connection useless: a call that is under way fails. It may
// be called at any time. The daemon resets a card in a transaction.
func (c *Client) Abort() { c.conn.Close() }

// Close gives the context and its connections to cards back. The daemon is
// told, but not waited for.
func (c *Client) Close() error {
	c.conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, err := c.conn.Write(request(nil, cmdRelease, releaseSize, c.context, 0))
	if closeErr := c.conn.Close(); err == nil {
		err = closeErr
	}
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
