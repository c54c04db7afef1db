package pcsc

import (
	"encoding/binary"

	"github.com/go-cryptoki/cryptoki/apdu/pcsc/internal/winscard"
)

// getFeatures is CM_IOCTL_GET_FEATURE_REQUEST, PC/SC part 10 §2.2.
const getFeatures = 3400

// Features of readers, PC/SC part 10 §2.3.
const (
	featureVerifyPIN  = 0x06
	featureModifyPIN  = 0x07
	featureProperties = 0x12
)

// Properties of readers, PC/SC part 10 §2.5.12.
const (
	propertyMinPIN  = 0x06
	propertyMaxPIN  = 0x07
	propertyMaxData = 0x0A
)

// features is what a reader can do beyond carrying commands. The fields are
// the control codes, 0 for what it cannot do.
type features struct {
	verify, modify uint32
	maxData        uint32 // of an APDU in bytes; 0 if only short ones are carried
	minPIN, maxPIN int    // digits that its keys take; 0 if it does not say
}

// readFeatures asks the reader's driver. One that does not answer has none.
func readFeatures(s service, c card) features {
	answer, err := c.Control(s.ctlCode(getFeatures), nil)
	if err != nil {
		return features{}
	}
	codes := parseFeatures(answer)
	f := features{verify: codes[featureVerifyPIN], modify: codes[featureModifyPIN]}
	if code := codes[featureProperties]; code != 0 {
		if answer, err := c.Control(code, nil); err == nil {
			f.read(answer)
		}
	}
	return f
}

// parseFeatures reads the list of control codes: tag, length 4, and the code
// with its most significant byte first.
func parseFeatures(b []byte) map[byte]uint32 {
	codes := make(map[byte]uint32)
	for len(b) >= 2 {
		tag, n := b[0], int(b[1])
		if n > len(b)-2 {
			break
		}
		if n == 4 {
			codes[tag] = binary.BigEndian.Uint32(b[2:])
		}
		b = b[2+n:]
	}
	return codes
}

// read takes the properties, whose numbers have their least significant byte
// first.
func (f *features) read(b []byte) {
	for len(b) >= 2 {
		tag, n := b[0], int(b[1])
		if n > len(b)-2 {
			return
		}
		value := uint64(0)
		for i := min(n, 8) - 1; i >= 0; i-- {
			value = value<<8 | uint64(b[2+i])
		}
		switch tag {
		case propertyMinPIN:
			f.minPIN = int(min(value, 255))
		case propertyMaxPIN:
			f.maxPIN = int(min(value, 255))
		case propertyMaxData:
			f.maxData = uint32(min(value, 1<<16))
		}
		b = b[2+n:]
	}
}

// limits are the longest whole APDUs that the reader carries, 0 where only
// short ones are sure to pass.
func (f *features) limits() (command, response int) {
	const short = 261
	switch {
	case f.maxData <= short:
		return 0, 0
	case f.maxData >= 1<<16:
		return winscard.MaxBuffer - 4, winscard.MaxBuffer - 10
	}
	return int(f.maxData), int(f.maxData)
}
