package pcscd_test

import (
	"context"
	"fmt"
	"log"

	"github.com/go-cryptoki/cryptoki/apdu/pcsc/internal/pcscd"
)

// One command to the card in the first reader.
func ExampleDial() {
	c, err := pcscd.Dial(context.Background(), pcscd.Socket())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	readers, err := c.Readers()
	if err != nil || len(readers) == 0 {
		log.Fatal("no readers: ", err)
	}
	card, err := c.Connect(readers[0].Name)
	if err != nil {
		log.Fatal(err)
	}
	answer, err := card.Transmit([]byte{0x00, 0xCA, 0x01, 0xA0, 0x14})
	fmt.Printf("%X %v\n", answer, err)
}
