// Pool shares one key of a card among a thousand goroutines: a Key needs no
// pool of sessions, and no lock around it.
//
//	go run ./examples/pool                        # a virtual card
//	go run ./examples/pool 'pkcs11:object=my'     # a card in a reader
package main

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/go-cryptoki/cryptoki/examples/internal/demo"
)

func main() {
	log.SetFlags(0)
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

const goroutines = 1000

func run(ctx context.Context, args []string, out io.Writer) error {
	m, uri, err := demo.Open(ctx, args, demo.EC)
	if err != nil {
		return err
	}
	defer m.Close()
	key, err := m.Key(ctx, uri)
	if err != nil {
		return err
	}
	start := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for i := range goroutines {
		g.Go(func() error {
			digest := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
			_, err := key.SignContext(ctx, digest[:], crypto.SHA256)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d goroutines signed with one key in %v\n", goroutines, time.Since(start).Round(time.Millisecond))
	return nil
}
