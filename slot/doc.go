// Package slot lists the readers of an apdu.Provider as PKCS #11 slots and
// recognises the cards in them.
//
// A Source is where tokens come from: Readers is the one of cards in readers, and
// New takes several. A Hub is what all applications of a process share on one: the
// connections and the cards. A List is one application's view of it.
//
//	list := slot.NewList(provider, pkcs15.Driver())
//	slots, err := list.Slots(ctx, true) // slots with a token
//	if err != nil {
//		return err
//	}
//	t, err := slots[0].Token(ctx)
//
// Cards are recognised in the background: a reader that hangs holds up nobody
// for longer than ten seconds, and nobody twice. List.Events tells of readers
// and cards as they come and go, List.WaitForSlotEvent is the call of PKCS #11
// for it.
//
// What a token does is in package session; a card with several user PINs
// has a token for each, and so several slots on one reader.
package slot
