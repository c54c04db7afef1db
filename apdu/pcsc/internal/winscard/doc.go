// Package winscard has the numbers of the PC/SC programming interface that
// pcsc-lite, macOS and Windows share: codes, share modes, protocols, states.
// It does nothing; the two clients of package pcsc speak in its terms.
//
//	err := card.Begin()
//	if errors.Is(err, winscard.ResetCard) {
//		err = card.Reconnect(winscard.LeaveCard)
//	}
package winscard
