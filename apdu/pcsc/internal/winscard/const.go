package winscard

// Share modes of a connection.
const (
	ShareExclusive uint32 = 1
	ShareShared    uint32 = 2
	ShareDirect    uint32 = 3
)

// Protocols, as bits.
const (
	ProtocolT0 uint32 = 1
	ProtocolT1 uint32 = 2
)

// What becomes of the card at the end of a connection or transaction.
const (
	LeaveCard   uint32 = 0
	ResetIt     uint32 = 1
	UnpowerCard uint32 = 2
)

// MaxBuffer is the longest APDU with its answer that the service takes, in
// bytes: extended lengths both ways.
const MaxBuffer = 4 + 3 + 65536 + 3 + 2

// Reader is the state of one reader.
type Reader struct {
	Name    string
	Present bool   // a card is in it
	Mute    bool   // the card does not answer
	Counter uint16 // insertions and removals, modulo 65536
	Sharing int    // connections to the card, of everybody; 0 if it is not known
	ATR     []byte // of a present card; nil if it is not known
}
