package apdu

import (
	"errors"
	"fmt"

	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// Capabilities is what a card can do, as far as Conn needs to know.
type Capabilities struct {
	Known    bool // the card said something about itself
	Chaining bool // command chaining
	Extended bool // extended lengths
	// TellsLengths says that EF.ATR/INFO holds the longest APDUs.
	TellsLengths bool
	// MaxCommand and MaxResponse bound an extended APDU in bytes, with header
	// and status word; 0 means that the card told no bound.
	MaxCommand, MaxResponse int
}

// CapabilitiesOf reads the historical bytes of an ATR, ISO 7816-4 §12.1.1: the
// third byte of the card capabilities, compact tag 7, and of the card service
// data, compact tag 3, whether there are data objects in EF.ATR/INFO.
func CapabilitiesOf(historical []byte) Capabilities {
	var caps Capabilities
	if len(historical) == 0 {
		return caps
	}
	objects := historical[1:]
	switch historical[0] {
	case 0x80:
	case 0x00: // the last three bytes are a status
		if len(objects) < 3 {
			return caps
		}
		objects = objects[:len(objects)-3]
	default:
		return caps
	}
	for len(objects) > 0 {
		tag, n := objects[0]>>4, int(objects[0]&0x0F)
		if n >= len(objects) {
			return caps
		}
		value := objects[1 : 1+n]
		if tag == 7 && n == 3 {
			caps.Known = true
			caps.Chaining = value[2]&0x80 != 0
			caps.Extended = value[2]&0x40 != 0
			caps.TellsLengths = caps.TellsLengths || value[2]&0x20 != 0
		}
		if tag == 3 && n == 1 && value[0]&0x10 != 0 {
			caps.TellsLengths = true
		}
		objects = objects[1+n:]
	}
	return caps
}

// Tags of EF.ATR/INFO, ISO 7816-4 §12.2.2.
const (
	tagExtendedLength tlv.Tag = 0x7F66
	tagInteger        tlv.Tag = 0x02
)

// WithLengths adds the longest APDUs that the content of an EF.ATR/INFO (file
// 2F01) or of its data object 7F66 gives. Without one the capabilities stay as
// they are.
func (caps Capabilities) WithLengths(efATR []byte) (Capabilities, error) {
	info, err := tlv.Find(efATR, tagExtendedLength)
	if errors.Is(err, tlv.ErrNotFound) {
		return caps, nil
	}
	if err != nil {
		return caps, err
	}
	var lengths []int
	for e, err := range tlv.Parse(info) {
		if err != nil {
			return caps, err
		}
		if e.Tag != tagInteger || len(e.Value) < 1 || len(e.Value) > 3 {
			return caps, fmt.Errorf("extended length information: element %v of %d bytes", e.Tag, len(e.Value))
		}
		n := 0
		for _, b := range e.Value {
			n = n<<8 | int(b)
		}
		lengths = append(lengths, n)
	}
	if len(lengths) != 2 {
		return caps, fmt.Errorf("extended length information: %d lengths", len(lengths))
	}
	caps.MaxCommand, caps.MaxResponse = lengths[0], lengths[1]
	return caps, nil
}
