package pcscd

import (
	"fmt"

	"github.com/go-cryptoki/cryptoki/apdu/pcsc/internal/winscard"
)

// Card is a shared connection to the card in a reader. It is used by one
// goroutine at a time, together with its Client.
type Card struct {
	c        *Client
	handle   uint32
	protocol uint32
	request  []byte
}

// pciLength is the length of SCARD_IO_REQUEST on 64-bit systems, which the
// daemon hands on and nobody reads.
const pciLength = 16

// Connect opens a shared connection. It waits while somebody else has a
// transaction.
func (c *Client) Connect(reader string) (*Card, error) {
	req, err := connectRequest(c.context, reader, winscard.ShareShared, winscard.ProtocolT0|winscard.ProtocolT1)
	if err != nil {
		return nil, err
	}
	reply, err := c.call(req, connectSize)
	if err != nil {
		return nil, err
	}
	if err := result(reply); err != nil {
		return nil, err
	}
	tail := reply[4+nameSize:]
	return &Card{c: c, handle: field(tail, 2), protocol: field(tail, 3)}, nil
}

// Protocol is the protocol in use, as one of the protocol bits.
func (k *Card) Protocol() uint32 { return k.protocol }

// Reconnect makes the connection usable again after a reset.
func (k *Card) Reconnect(initialization uint32) error {
	reply, err := k.call(cmdReconnect, reconnectSize,
		winscard.ShareShared, winscard.ProtocolT0|winscard.ProtocolT1, initialization, 0, 0)
	if err != nil {
		return err
	}
	k.protocol = field(reply, 4)
	return nil
}

// Disconnect ends the connection.
func (k *Card) Disconnect(disposition uint32) error {
	_, err := k.call(cmdDisconnect, disconnectSize, disposition, 0)
	return err
}

// Begin begins a transaction. While somebody else has one it fails at once
// with a sharing violation.
func (k *Card) Begin() error {
	_, err := k.call(cmdBegin, beginSize, 0)
	return err
}

// End ends a transaction.
func (k *Card) End(disposition uint32) error {
	_, err := k.call(cmdEnd, endSize, disposition, 0)
	return err
}

// Status tells whether the card was reset or removed since the connection was
// made.
func (k *Card) Status() error {
	_, err := k.call(cmdStatus, statusSize, 0)
	return err
}

// call sends a request about the card whose fields follow its handle.
func (k *Card) call(command uint32, size int, fields ...uint32) ([]byte, error) {
	k.request = request(k.request[:0], command, size, k.handle)
	for _, f := range fields {
		k.request = order.AppendUint32(k.request, f)
	}
	reply, err := k.c.call(k.request, size)
	if err != nil {
		return nil, err
	}
	return reply, result(reply)
}

// Transmit sends a command APDU and returns the response with its status word,
// which belongs to the caller. The command is not kept.
func (k *Card) Transmit(command []byte) ([]byte, error) {
	if len(command) < 4 || len(command) > winscard.MaxBuffer {
		return nil, fmt.Errorf("command of %d bytes: %w", len(command), winscard.InvalidParameter)
	}
	reply, err := k.exchange(command, cmdTransmit, transmitSize, k.handle, k.protocol, pciLength,
		uint32(len(command)), k.protocol, pciLength, winscard.MaxBuffer, 0)
	if err != nil {
		return nil, err
	}
	return k.data(field(reply, 6))
}

// Control sends a control code to the reader's driver.
func (k *Card) Control(code uint32, in []byte) ([]byte, error) {
	if len(in) > winscard.MaxBuffer {
		return nil, fmt.Errorf("control data of %d bytes: %w", len(in), winscard.InvalidParameter)
	}
	reply, err := k.exchange(in, cmdControl, controlSize, k.handle, code, uint32(len(in)), winscard.MaxBuffer, 0, 0)
	if err != nil {
		return nil, err
	}
	return k.data(field(reply, 4))
}

// exchange sends a request with data behind it, which may be secret.
func (k *Card) exchange(data []byte, command uint32, size int, fields ...uint32) ([]byte, error) {
	k.request = request(k.request[:0], command, size, fields...)
	k.request = append(k.request, data...)
	reply, err := k.c.call(k.request, size)
	clear(k.request[headerSize+size:])
	if err != nil {
		return nil, err
	}
	return reply, result(reply)
}

// data reads what follows a reply.
func (k *Card) data(n uint32) ([]byte, error) {
	if n > winscard.MaxBuffer {
		return nil, k.c.dead(fmt.Errorf("%w: %d bytes", errGarbled, n))
	}
	b, err := k.c.receive(int(n))
	if err != nil {
		return nil, err
	}
	out := append([]byte(nil), b...)
	clear(b)
	return out, nil
}
