package replay_test

import (
	"bytes"
	"context"
	"fmt"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/replay"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

// What is said to a card is recorded, written, and could be played back.
func ExampleRecorder() {
	ctx := context.Background()
	r := replay.NewRecorder(replay.Head{Card: "virtual"})
	conn, err := apdu.Dial(ctx, virtual.Single(virtual.New()), "Virtual 00", apdu.WithTrace(r.Trace))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	err = conn.Exclusive(ctx, nil, func(ctx context.Context, tx *apdu.Tx) error {
		_, err := tx.Do(ctx, apdu.Command{INS: 0x84, Le: 8}) // GET CHALLENGE
		return err
	})
	var file bytes.Buffer
	fmt.Println(err, replay.Write(&file, r.Transcript()), bytes.Count(file.Bytes(), []byte("\n")), "lines")
	// Output: <nil> <nil> 2 lines
}
