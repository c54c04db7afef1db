// Package record is the form in which the applications on a virtual card keep
// their state: records, each a value under a folder and a name.
//
//	var e record.Encoder
//	e.Put("card/head", head)
//	e.Drop("pin/00000001")
//	err := e.Commit(store)
//
// What the records of an application are, and which of them are sealed, is the
// application's affair; where they are is the Store's.
package record
