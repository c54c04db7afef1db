package slot_test

import (
	"context"
	"fmt"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/slot"
	"github.com/go-cryptoki/cryptoki/token/driver"
	"github.com/go-cryptoki/cryptoki/token/piv"
	"github.com/go-cryptoki/cryptoki/token/pkcs15"
)

func ExampleReaders() {
	ctx := context.Background()
	readers := virtual.NewProvider(
		virtual.Reader{Name: "left", Card: virtual.New(virtual.WithPIV(virtual.YubiKey57()))},
		virtual.Reader{Name: "right"})
	list := slot.New(slot.Readers(readers, []driver.Driver{piv.Driver(), pkcs15.Driver()}))
	defer list.Close()
	slots, err := list.Slots(ctx, false)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range slots {
		fmt.Println(s.ID(), s.Info().Reader, s.Info().Driver)
	}
	// Output:
	// 1 left piv
	// 2 right
}
