package virtual_test

import (
	"context"
	"fmt"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

func Example() {
	card := virtual.New(virtual.As(virtual.OsEID452()))
	p := virtual.NewProvider(virtual.Reader{Name: "Virtual 00", Card: card})

	ctx := context.Background()
	t, err := p.Connect(ctx, "Virtual 00")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer t.Close()
	info, err := t.Transmit(ctx, []byte{0x00, 0xCA, 0x01, 0xA0, 0x14})
	fmt.Printf("%s %X %v\n", info[:5], info[5:], err)
	// Output:
	// OsEID 0405020000000000000000000100019000 <nil>
}

// A test that wants to see how a program takes the loss of an answer.
func ExampleFaults() {
	card := virtual.New(virtual.Faults(func(n int, command []byte) virtual.Fault {
		if command[1] == 0x20 { // VERIFY
			return virtual.Fault{Kind: virtual.CutAfter}
		}
		return virtual.Fault{}
	}))
	t, err := virtual.Single(card).Connect(context.Background(), "Virtual 00")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = t.Transmit(context.Background(), []byte{0x00, 0x20, 0x00, 0x01})
	fmt.Println(err)
	// Output:
	// virtual: reader "Virtual 00": card removed: answer lost: the command may have been executed
}
