// Package apdu speaks ISO 7816-4 with one smart card.
//
// A [Provider] knows readers and connects to the card in one of them; the
// [Transport] that comes back carries single command APDUs. Programs do not use
// it directly: they put a [Conn] on top and work in units,
//
//	conn, err := apdu.Dial(ctx, provider, "Reader 00")
//	if err != nil {
//		return err
//	}
//	defer conn.Close()
//	err = conn.Exclusive(ctx, aid, func(ctx context.Context, tx *apdu.Tx) error {
//		data, err := tx.Do(ctx, apdu.Command{INS: 0xCA, P1: 0x01, P2: 0xA0, Le: 256})
//		if err != nil {
//			return err
//		}
//		return use(data)
//	})
//
// A unit holds the card for itself: nobody else, in this program or another
// one, comes between its commands, and the application named by aid is
// selected. Units are short. No person is asked for anything inside one,
// except by the reader's own keys.
//
// [Tx.Do] cuts a command to what the link and the card carry (extended length,
// command chaining, the rules of T=0), fetches long answers, and bounds
// everything a card may answer in time and memory. An answer other than 9000 is
// an error that holds a [Status]:
//
//	if errors.Is(err, apdu.SWFileNotFound) { … }
//	if errors.Is(err, apdu.Status(0x63C0)) { … } // the family 63Cx
//
// Every call that may reach the card takes a context, and a cancelled caller
// returns at once, even if the reader hangs: the connection then stays locked
// until the late answer came and was dropped. What the card remembers of
// selections and PINs is bound to [Tx.Epoch] and [Tx.Disturbances]: as long as
// neither grows, nothing was lost.
//
// The package knows no PKCS #11 and no card family. What a command means, when
// a PIN is to be verified again, and what to do after a reset is left to the
// drivers above it. The folders below hold transcripts
// (apdu/replay), readers through PC/SC (apdu/pcsc) and a virtual card
// (apdu/virtual).
package apdu
