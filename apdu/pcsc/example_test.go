package pcsc_test

import (
	"context"
	"fmt"
	"log"

	"github.com/go-cryptoki/cryptoki/apdu/pcsc"
)

// Cards that come and go in the readers of the machine.
func ExampleProvider_Watch() {
	readers, err := pcsc.Open()
	if err != nil {
		log.Fatal(err)
	}
	for e, err := range readers.Watch(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Reader, e.Present)
	}
}
