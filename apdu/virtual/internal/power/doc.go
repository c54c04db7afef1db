// Package power takes a card's power away in the middle of a command. An
// application tells its Supply of each write to lasting memory as it is done;
// after the last one that the Supply still bears, execution ends there and
// then, as it does on a card that is torn out:
//
//	answer, cut := supply.Run(func() []byte {
//		...
//		supply.Wrote() // does not return if the power went with this write
//		...
//	})
//
// What is consistent after each write is up to the application.
package power
