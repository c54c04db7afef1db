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
	card := virtual.New(virtual.Faults(virtual.Rules(
		virtual.On(virtual.INS(0x20), virtual.Fault{Kind: virtual.CutAfter}), // VERIFY
	)))
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

// Every exchange of a task goes wrong once: first the task is run as it should
// be, to see how many there are.
func ExampleCard_SetFaults() {
	card := virtual.New()
	readers := virtual.Single(card)
	task := func() error { // what is to be tested
		t, err := readers.Connect(context.Background(), "Virtual 00")
		if err != nil {
			return err
		}
		defer t.Close()
		for _, command := range []string{"\x00\xA4\x00\x00", "\x00\xCA\x01\xA0\x14"} {
			if _, err := t.Transmit(context.Background(), []byte(command)); err != nil {
				return err
			}
		}
		return nil
	}
	fmt.Println(task())
	for n := range card.Exchanges() {
		card.SetFaults(virtual.Rules(virtual.At(n+1, virtual.Fault{Kind: virtual.CutBefore})))
		fmt.Println(n+1, task())
		readers.Insert("Virtual 00", card)
	}
	// Output:
	// <nil>
	// 1 virtual: reader "Virtual 00": card removed
	// 2 virtual: reader "Virtual 00": card removed
}
