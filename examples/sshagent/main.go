// Sshagent is an ssh-agent whose keys are those of cards. It prints what the
// shell needs to find it and serves until it is interrupted.
//
//	eval $(go run ./examples/sshagent)                  # a virtual card
//	go run ./examples/sshagent /tmp/agent 'pkcs11:'     # all keys of the cards in the readers
//
// Then ssh-add -l lists them, and ssh uses them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"

	"golang.org/x/crypto/ssh/agent"

	"github.com/go-cryptoki/cryptoki/examples/internal/demo"
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	dir, err := os.MkdirTemp("", "cryptoki-agent")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "socket")
	if len(args) > 0 {
		socket, args = args[0], args[1:]
	}
	m, uri, err := demo.Open(ctx, args, "")
	if err != nil {
		return err
	}
	defer m.Close()
	keys, err := load(ctx, m, uri)
	if err != nil {
		return err
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	defer l.Close()
	context.AfterFunc(ctx, func() { l.Close() })
	fmt.Fprintf(out, "SSH_AUTH_SOCK=%s; export SSH_AUTH_SOCK;\n", socket)
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			agent.ServeAgent(keys, c)
		}()
	}
}
