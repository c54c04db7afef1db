package pcsc

import (
	"context"

	"github.com/go-cryptoki/cryptoki/apdu/pcsc/internal/pcscd"
)

// daemon reaches pcscd through its socket.
type daemon struct{ socket string }

func (d daemon) dial(ctx context.Context) (session, error) {
	socket := d.socket
	if socket == "" {
		socket = pcscd.Socket()
	}
	c, err := pcscd.Dial(ctx, socket)
	if err != nil {
		return nil, err
	}
	return daemonSession{c}, nil
}

type daemonSession struct{ *pcscd.Client }

func (s daemonSession) Connect(reader string) (card, error) {
	c, err := s.Client.Connect(reader)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (daemon) ctlCode(code uint32) uint32 { return 0x42000000 + code }
