package exchange

import (
	"encoding/binary"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/power"
)

// Line is one application's end of the exchange. The zero value is ready.
type Line struct {
	power.Supply
	chain
	running Command
	rest    []byte // of a long answer
}

// Reset forgets what is under way, as without power.
func (l *Line) Reset() {
	l.GiveUp()
	l.Forget()
}

// Process answers a command: with sw if that is not 9000, else by execute,
// which keeps neither the command nor its data. What was changed is committed
// before the answer, which is 6581 if that fails. The answer is the caller's,
// and nil if the power failed meanwhile: then what was written until then is
// committed.
func (l *Line) Process(m Command, sw apdu.Status, execute func(*Command) ([]byte, apdu.Status), commit func() error) []byte {
	answer, cut := l.Run(func() []byte {
		if sw != apdu.OK {
			l.Forget()
			return response(nil, sw)
		}
		if m.INS != insGetResponse {
			l.Forget()
		}
		l.running = m // here, so that it takes no memory of its own
		data, sw := execute(&l.running)
		l.running = Command{}
		if commit() != nil {
			data, sw = nil, apdu.SWMemoryFailure
		}
		return l.deliver(data, sw, m.Le)
	})
	if cut {
		l.running = Command{}
		commit()
	}
	return answer
}

// deliver answers with as much as was asked for and keeps the rest for GET
// RESPONSE.
func (l *Line) deliver(data []byte, sw apdu.Status, ne int) []byte {
	if len(data) == 0 || ne == 0 {
		return response(nil, sw)
	}
	if len(data) <= ne {
		l.rest = nil
		return response(data, sw)
	}
	l.rest = data[ne:]
	left := len(l.rest)
	if left > 0xFF {
		left = 0
	}
	return response(data[:ne], apdu.SWBytesLeft|apdu.Status(left))
}

// GetResponse is GET RESPONSE, ISO 7816-4 §7.6.1.
func (l *Line) GetResponse(m *Command) ([]byte, apdu.Status) {
	if m.P1P2() != 0 {
		return nil, apdu.SWWrongP1P2
	}
	if len(l.rest) == 0 {
		return nil, apdu.SWConditionsNotSatisfied
	}
	return l.rest, apdu.OK
}

// Forget drops the rest of a long answer.
func (l *Line) Forget() {
	clear(l.rest)
	l.rest = nil
}

func response(data []byte, sw apdu.Status) []byte {
	out := make([]byte, 0, len(data)+2)
	out = append(out, data...)
	return binary.BigEndian.AppendUint16(out, uint16(sw))
}
