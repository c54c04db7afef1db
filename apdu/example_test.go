package apdu_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/replay"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// A unit reads the name of a MyEID card and tries a wrong PIN. The card here is a
// transcript of one.
func Example() {
	transcript, err := replay.ReadFile("replay/testdata/oseid/opensc-wrong-pin.jsonl")
	if err != nil {
		log.Fatal(err)
	}
	provider := replay.NewPlayer(transcript, replay.AnyOrder())

	ctx := context.Background()
	conn, err := apdu.Dial(ctx, provider, provider.Reader())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	aid := []byte("\xA0\x00\x00\x00\x63PKCS-15")
	err = conn.Exclusive(ctx, aid, func(ctx context.Context, tx *apdu.Tx) error {
		fci, _ := tx.Selected()
		name, err := tlv.Find(fci, 0x6F, 0x84)
		if err != nil {
			return err
		}
		info, err := tx.Do(ctx, apdu.Command{INS: 0xCA, P1: 0x01, P2: 0xA0, Le: 20})
		if err != nil {
			return err
		}
		fmt.Printf("%X: %s\n", name, info[:5])
		_, err = tx.Do(ctx, apdu.Command{INS: 0x20, P2: 1, Data: []byte("99999999")})
		return err
	})
	fmt.Println(err)
	var status apdu.Status
	if errors.As(err, &status) {
		fmt.Println(status.Tries())
	}
	// Output:
	// A000000063504B43532D3135: OsEID
	// VERIFY: verification failed, 2 tries left (63C2)
	// 2 true
}
