package token

import "github.com/go-cryptoki/cryptoki/ckr"

// Info describes a token (PKCS #11 v3.2 §3.2, CK_TOKEN_INFO).
type Info struct {
	Label        string
	Manufacturer string
	Model        string
	Serial       string
	// Identity names the card among all cards, and on it the token, in full
	// where Serial has no room for it. It is empty if the card has no number of
	// its own: then nothing but its keys tells it from others.
	Identity string
	Flags    Flags
	// Lengths of PINs in bytes; a maximum of 0 means unknown.
	MinPIN, MaxPIN     int
	MinSOPIN, MaxSOPIN int
	// MinPUK and MaxPUK are the same of the unblocking PIN. What is shorter or
	// longer is not sent, since the card might count it as a wrong one.
	MinPUK, MaxPUK int
	// BinarySOPIN says that the SO's secret is a key, which may be any bytes.
	BinarySOPIN bool
	// FixedPlaces says that the card has places for its objects, each with a
	// CKA_LABEL and a CKA_ID of its own, which nobody else chooses.
	FixedPlaces bool
	// Tries left, as far as the card has told.
	UserTries, SOTries ckr.Tries
	// Memory in bytes; -1 means unavailable.
	TotalPublic, FreePublic, TotalPrivate, FreePrivate int64
	HardwareVersion, FirmwareVersion                   [2]byte
}
