package piv_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/internal/pivimage"
	"github.com/go-cryptoki/cryptoki/token/piv"
)

// Somebody has a drawer of cards, and wants to know which ones are good.
func ExampleApplication_Inspect() {
	ctx := context.Background()
	conn, err := apdu.Dial(ctx, virtual.Single(foundCard()), "Virtual 00")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	card, err := piv.Open(ctx, conn)
	if err != nil {
		log.Fatal(err)
	}
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	found, err := card.Inspect(ctx, piv.Inspection{At: day}) // without a PIN
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range found {
		fmt.Println(f)
	}
	// Output:
	// Card Holder Unique Identifier: expired: the certificate of its signer was valid until 2014-03-25
	// Security Object: unverified: the certificate of its signer is not on the card
}

// foundCard is a card of the US government's test set.
func foundCard() *virtual.Card {
	image, err := pivimage.Read("../../apdu/virtual/testdata/piv/09_Expired_CHUID_Signer.json.gz")
	if err != nil {
		log.Fatal(err)
	}
	return virtual.New(virtual.WithPIVImage(image))
}
