// Package replay keeps transcripts of what was said between a program and a
// card, and plays them back.
//
// A transcript is a text file of JSON lines. The first holds a [Head]: which
// card, which client, its ATR. Every other line is one [Exchange], a command
// APDU "c" and the response "r" with its status word, in hexadecimal:
//
//	{"card": "OsEID", "client": "opensc", "atr": "3bf518000280014f734549441a"}
//	{"c":"00a4080c025015","r":"9000"}
//
// Recording, with the tap of a Conn or around a Transport:
//
//	r := replay.NewRecorder(replay.Head{Card: "MyEID"})
//	conn := apdu.NewConn(transport, apdu.WithTrace(r.Trace))
//	…
//	err := replay.Write(file, r.Transcript())
//
// Playing back, in place of readers and card:
//
//	transcript, err := replay.ReadFile("testdata/sign.jsonl")
//	player := replay.NewPlayer(transcript)
//	conn, err := apdu.Dial(ctx, player, player.Reader())
//	…
//	err = player.Done() // nil if all was said, and nothing else
//
// PINs in commands that carry one and nothing else are left out of recordings
// unless they are asked for. Everything else is recorded as it is, keys that
// are imported included: recordings are made of test cards.
//
// Transcripts are a means to test. What a card would do that is not in the
// transcript is left to apdu/virtual.
package replay
