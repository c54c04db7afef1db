package token

import "strings"

// Flags of a token (CK_TOKEN_INFO.flags).
type Flags uint64

// The token flags of PKCS #11 v3.2 §3.2.
const (
	FlagRNG                  Flags = 0x00000001
	FlagWriteProtected       Flags = 0x00000002
	FlagLoginRequired        Flags = 0x00000004
	FlagUserPINInitialized   Flags = 0x00000008
	FlagRestoreKeyNotNeeded  Flags = 0x00000020
	FlagClockOnToken         Flags = 0x00000040
	FlagProtectedAuthPath    Flags = 0x00000100
	FlagDualCryptoOperations Flags = 0x00000200
	FlagTokenInitialized     Flags = 0x00000400
	FlagUserPINCountLow      Flags = 0x00010000
	FlagUserPINFinalTry      Flags = 0x00020000
	FlagUserPINLocked        Flags = 0x00040000
	FlagUserPINToBeChanged   Flags = 0x00080000
	FlagSOPINCountLow        Flags = 0x00100000
	FlagSOPINFinalTry        Flags = 0x00200000
	FlagSOPINLocked          Flags = 0x00400000
	FlagSOPINToBeChanged     Flags = 0x00800000
	FlagErrorState           Flags = 0x01000000
)

// Has reports whether all of f's bits are set.
func (f Flags) Has(bits Flags) bool { return f&bits == bits }

// String lists the flags by their names in the standard, without CKF_.
func (f Flags) String() string {
	var s []string
	for _, n := range flagNames {
		if f.Has(n.flag) {
			s = append(s, n.name)
		}
	}
	return strings.Join(s, " ")
}

var flagNames = []struct {
	flag Flags
	name string
}{
	{FlagRNG, "RNG"},
	{FlagWriteProtected, "WRITE_PROTECTED"},
	{FlagLoginRequired, "LOGIN_REQUIRED"},
	{FlagUserPINInitialized, "USER_PIN_INITIALIZED"},
	{FlagRestoreKeyNotNeeded, "RESTORE_KEY_NOT_NEEDED"},
	{FlagClockOnToken, "CLOCK_ON_TOKEN"},
	{FlagProtectedAuthPath, "PROTECTED_AUTHENTICATION_PATH"},
	{FlagDualCryptoOperations, "DUAL_CRYPTO_OPERATIONS"},
	{FlagTokenInitialized, "TOKEN_INITIALIZED"},
	{FlagUserPINCountLow, "USER_PIN_COUNT_LOW"},
	{FlagUserPINFinalTry, "USER_PIN_FINAL_TRY"},
	{FlagUserPINLocked, "USER_PIN_LOCKED"},
	{FlagUserPINToBeChanged, "USER_PIN_TO_BE_CHANGED"},
	{FlagSOPINCountLow, "SO_PIN_COUNT_LOW"},
	{FlagSOPINFinalTry, "SO_PIN_FINAL_TRY"},
	{FlagSOPINLocked, "SO_PIN_LOCKED"},
	{FlagSOPINToBeChanged, "SO_PIN_TO_BE_CHANGED"},
	{FlagErrorState, "ERROR_STATE"},
}
