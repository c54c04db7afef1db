package soft

// Sizes of keys, in the units of mechanism.Unit. RSA keys shorter than 1024
// bits are refused by the standard library, longer ones than 16384 take too
// long; generating is bounded further, for it takes longer still.
const (
	minRSA          = 1024
	maxRSA          = 16384
	maxGeneratedRSA = 4096
	minAES          = 16
	maxAES          = 32
	minMAC          = 1
	maxMAC          = 1 << 16
	minCurve        = 224
	maxCurve        = 521
	other25519      = 255
	other448        = 448
	soundRSA        = 2048 // bits, from which keys are sound
	minXTS, maxXTS  = 32, 64
)
