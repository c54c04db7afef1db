package p11kit_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/p11kit"
)

// A program serves its tokens to programs in C, until it is told to stop.
func ExampleServe() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(virtual.Single(virtual.New())))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	dir, err := os.MkdirTemp("", "p11kit")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	l, err := p11kit.Listen(filepath.Join(dir, "socket"))
	if err != nil {
		fmt.Println(err)
		return
	}
	// Programs with this in their environment load p11-kit-client.so.
	fmt.Println("P11_KIT_SERVER_ADDRESS is set:", l.Address() != "")
	stop()
	fmt.Println(p11kit.Serve(ctx, l, m))
	// Output:
	// P11_KIT_SERVER_ADDRESS is set: true
	// <nil>
}
