package pcscd

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/go-cryptoki/cryptoki/apdu/pcsc/internal/winscard"
)

// Commands of the protocol.
const (
	cmdEstablish    uint32 = 0x01
	cmdRelease      uint32 = 0x02
	cmdConnect      uint32 = 0x04
	cmdReconnect    uint32 = 0x05
	cmdDisconnect   uint32 = 0x06
	cmdBegin        uint32 = 0x07
	cmdEnd          uint32 = 0x08
	cmdTransmit     uint32 = 0x09
	cmdControl      uint32 = 0x0A
	cmdStatus       uint32 = 0x0B
	cmdVersion      uint32 = 0x11
	cmdReaders      uint32 = 0x12
	cmdWait         uint32 = 0x13
	cmdStopWaiting  uint32 = 0x14
	cmdReadersSize  uint32 = 0x16
	cmdReadersArray uint32 = 0x17
)

// Lengths of the structures, in bytes. Requests and replies are of the same
// structure; only requests have a header.
const (
	headerSize     = 8
	versionSize    = 12
	establishSize  = 12
	releaseSize    = 8
	connectSize    = 4 + nameSize + 20
	reconnectSize  = 24
	disconnectSize = 12
	beginSize      = 8
	endSize        = 12
	transmitSize   = 32
	controlSize    = 24
	statusSize     = 8
	waitSize       = 8

	nameSize   = 128
	atrSize    = 33
	readerSize = nameSize + 12 + 36 + 8
	// fixedReaders is how many readers a daemon before 4:6 has.
	fixedReaders = 16
	maxReaders   = 1024
)

// order is the byte order of the machine: both ends run on it.
var order = binary.NativeEndian

// errGarbled says that the daemon answered what the protocol does not allow.
var errGarbled = errors.New("pcscd answered nonsense")

// request begins a request of a structure that is filled with fields of four
// bytes.
func request(b []byte, command uint32, size int, fields ...uint32) []byte {
	b = order.AppendUint32(b, uint32(size))
	b = order.AppendUint32(b, command)
	for _, f := range fields {
		b = order.AppendUint32(b, f)
	}
	return b
}

// field returns the i-th field of four bytes of a reply.
func field(reply []byte, i int) uint32 { return order.Uint32(reply[4*i:]) }

// result is the return code at the end of a reply.
func result(reply []byte) error {
	if rv := order.Uint32(reply[len(reply)-4:]); rv != 0 {
		return winscard.Error(rv)
	}
	return nil
}

// connectRequest is the only structure with a name in it.
func connectRequest(context uint32, reader string, share, protocols uint32) ([]byte, error) {
	if len(reader) == 0 || len(reader) >= nameSize {
		return nil, fmt.Errorf("reader name of %d bytes: %w", len(reader), winscard.UnknownReader)
	}
	b := request(make([]byte, 0, headerSize+connectSize), cmdConnect, connectSize, context)
	b = append(b, reader...)
	b = b[:headerSize+4+nameSize]
	for _, f := range []uint32{share, protocols, 0, 0, 0} {
		b = order.AppendUint32(b, f)
	}
	return b, nil
}

// States of a card as the daemon keeps them; they are not those of
// SCardGetStatusChange.
const (
	statePresent   = 0x04
	stateSwallowed = 0x08
)

// parseReaders reads an array of reader states. Entries without a name are
// free.
func parseReaders(b []byte) ([]winscard.Reader, error) {
	if len(b)%readerSize != 0 {
		return nil, fmt.Errorf("%w: reader states of %d bytes", errGarbled, len(b))
	}
	var readers []winscard.Reader
	for ; len(b) > 0; b = b[readerSize:] {
		if r, ok := parseReader(b[:readerSize]); ok {
			readers = append(readers, r)
		}
	}
	return readers, nil
}

func parseReader(b []byte) (winscard.Reader, bool) {
	name := cString(b[:nameSize])
	if name == "" {
		return winscard.Reader{}, false
	}
	numbers := b[nameSize:]
	atr, tail := b[nameSize+12:], b[nameSize+12+36:]
	state := order.Uint32(numbers[4:])
	r := winscard.Reader{
		Name:    name,
		Counter: uint16(order.Uint32(numbers)),
		Present: state&statePresent != 0,
		Mute:    state&stateSwallowed != 0,
		Sharing: max(0, int(int32(order.Uint32(numbers[8:])))), // -1 stands for one that shares with nobody
	}
	// A reader that is being set up has a length out of range.
	if n := order.Uint32(tail); r.Present && n > 0 && n <= atrSize {
		r.ATR = append([]byte(nil), atr[:n]...)
	}
	return r, true
}

// cString ends at the first zero byte.
func cString(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
