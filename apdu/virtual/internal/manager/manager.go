package manager

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// aid names the application. Its beginning selects it, too.
var aid = []byte{0xA0, 0x00, 0x00, 0x05, 0x27, 0x47, 0x11, 0x17}

// Commands.
const (
	insSelect     = 0xA4
	insReadConfig = 0x1D
)

// Tags of the configuration.
const (
	tagUSBSupported = 0x01
	tagSerial       = 0x02
	tagUSBEnabled   = 0x03
	tagFormFactor   = 0x04
	tagVersion      = 0x05
	tagConfigLocked = 0x0A
)

// capabilityPIV is the bit of the PIV application, the only other one there is.
const capabilityPIV = 0x0010

// FormKeychain is the form of a device with a USB-A plug, for the keychain.
const FormKeychain = 0x01

// Application is the application on one card. It has no state.
type Application struct {
	version [3]byte
	serial  uint32
}

// New returns the application of a device.
func New(version [3]byte, serial uint32) *Application {
	return &Application{version: version, serial: serial}
}

// Selects tells whether a name in SELECT is this application's: its own, or
// the beginning of it with at least the five bytes of the provider and two
// more, which tell it from Yubico's others.
func (a *Application) Selects(name []byte) bool {
	return len(name) >= 7 && bytes.HasPrefix(aid, name)
}

// Reset is the loss of power, or the selection of another application.
func (a *Application) Reset() {}

// FailAfter is without effect, as no command writes anything.
func (a *Application) FailAfter(int) {}

// Process executes one command APDU and returns the response, which is at
// least a status word and which the caller owns.
func (a *Application) Process(raw []byte) []byte {
	c, err := apdu.ParseCommand(raw)
	var data []byte
	sw := apdu.OK
	switch {
	case err != nil:
		sw = apdu.SWWrongLength
	case c.CLA != 0x00:
		sw = apdu.SWCLANotSupported
	case c.INS == insSelect:
		data, sw = a.selected(c)
	case c.INS == insReadConfig:
		data, sw = a.configuration(c)
	default:
		sw = apdu.SWINSNotSupported
	}
	if c.Le > 0 && c.Le < len(data) {
		data, sw = nil, apdu.SWCorrectLe|apdu.Status(len(data))
	}
	return binary.BigEndian.AppendUint16(data, uint16(sw))
}

// selected answers SELECT by name with the version, as text.
func (a *Application) selected(c apdu.Command) ([]byte, apdu.Status) {
	switch {
	case c.P1 != 0x04 || c.P2 != 0x00:
		return nil, apdu.SWWrongP1P2
	case !a.Selects(c.Data):
		return nil, apdu.SWFileNotFound
	}
	return fmt.Appendf(nil, "Virtual mgr - FW version %d.%d.%d", a.version[0], a.version[1], a.version[2]), apdu.OK
}

// configuration is the page of the configuration that P1 asks for: after a
// byte with its length, simple TLV. There is one page.
func (a *Application) configuration(c apdu.Command) ([]byte, apdu.Status) {
	if c.P1 != 0 || c.P2 != 0 {
		return nil, apdu.SWWrongP1P2
	}
	capabilities := binary.BigEndian.AppendUint16(nil, capabilityPIV)
	page := bytes.Join([][]byte{
		tlv.New(tagUSBSupported, capabilities),
		tlv.New(tagSerial, binary.BigEndian.AppendUint32(nil, a.serial)),
		tlv.New(tagUSBEnabled, capabilities),
		tlv.New(tagFormFactor, []byte{FormKeychain}),
		tlv.New(tagVersion, a.version[:]),
		tlv.New(tagConfigLocked, []byte{0}),
	}, nil)
	return append([]byte{byte(len(page))}, page...), apdu.OK
}
