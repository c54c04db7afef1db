package apdu

import (
	"fmt"
	"log/slog"
	"slices"
)

// Limits of the two encodings, ISO 7816-4 §5.2: data bytes (Lc) and response
// bytes (Le).
const (
	MaxShortData    = 255
	MaxShortLe      = 256
	MaxExtendedData = 65535
	MaxExtendedLe   = 65536
)

// Command is one command of ISO 7816-4, before it is cut to what the link
// carries: Data may be as long as 65535 bytes and Le as large as 65536 on a
// card and a reader that know short APDUs alone.
//
// Commands may hold PINs and keys. They print as header and lengths in every
// verb of fmt, in slog and in JSON. Data stays the caller's, who clears it.
type Command struct {
	CLA, INS, P1, P2 byte
	Data             []byte
	// Le is the number of response bytes wanted: 0 none, up to 256 in a short
	// APDU, up to 65536 in an extended one. 256 and 65536 mean "all there
	// are"; with any other number no more than that is fetched.
	Le int
}

// Check returns an error if the command cannot be encoded at all.
func (c Command) Check() error {
	if len(c.Data) > MaxExtendedData {
		return fmt.Errorf("%w: %d bytes of data", ErrTooLong, len(c.Data))
	}
	if c.Le < 0 || c.Le > MaxExtendedLe {
		return fmt.Errorf("%w: Le of %d", ErrTooLong, c.Le)
	}
	return nil
}

// FitsShort tells whether a single short APDU carries the command.
func (c Command) FitsShort() bool {
	return len(c.Data) <= MaxShortData && c.Le <= MaxShortLe
}

// Bytes encodes the command as one APDU, a short one where that is enough, else
// an extended one. The caller clears the result if the data are secret.
func (c Command) Bytes() ([]byte, error) {
	if c.FitsShort() && c.Le >= 0 {
		return c.AppendShort(nil)
	}
	return c.AppendExtended(nil)
}

// AppendShort appends the command to b as one short APDU, in one of the four
// cases of ISO 7816-3 §12.1.
func (c Command) AppendShort(b []byte) ([]byte, error) {
	if err := c.Check(); err != nil {
		return b, err
	}
	if !c.FitsShort() {
		return b, fmt.Errorf("%w for a short APDU", ErrTooLong)
	}
	// Growing later would leave a copy of the data that nobody clears.
	b = slices.Grow(b, 4+1+len(c.Data)+1)
	b = append(b, c.CLA, c.INS, c.P1, c.P2)
	if len(c.Data) > 0 {
		b = append(b, byte(len(c.Data)))
		b = append(b, c.Data...)
	}
	if c.Le > 0 {
		b = append(b, byte(c.Le))
	}
	return b, nil
}

// AppendExtended appends the command to b as one extended APDU. Case 1 has no
// lengths and looks the same in both encodings.
func (c Command) AppendExtended(b []byte) ([]byte, error) {
	if err := c.Check(); err != nil {
		return b, err
	}
	b = slices.Grow(b, 4+3+len(c.Data)+2)
	b = append(b, c.CLA, c.INS, c.P1, c.P2)
	if len(c.Data) > 0 {
		b = append(b, 0, byte(len(c.Data)>>8), byte(len(c.Data)))
		b = append(b, c.Data...)
	} else if c.Le > 0 {
		b = append(b, 0)
	}
	if c.Le > 0 {
		b = append(b, byte(c.Le>>8), byte(c.Le))
	}
	return b, nil
}

// IsExtended tells whether an encoded APDU has extended lengths.
func IsExtended(apdu []byte) bool {
	return len(apdu) >= 7 && apdu[4] == 0
}

// ParseCommand decodes an APDU as a card does; Data is a part of the argument.
// The error of a malformed one matches [SWWrongLength].
func ParseCommand(apdu []byte) (Command, error) {
	if len(apdu) < 4 {
		return Command{}, fmt.Errorf("APDU of %d bytes: %w", len(apdu), SWWrongLength)
	}
	c := Command{CLA: apdu[0], INS: apdu[1], P1: apdu[2], P2: apdu[3]}
	body := apdu[4:]
	switch {
	case len(body) == 0:
		return c, nil
	case len(body) == 1:
		c.Le = shortLe(body[0])
		return c, nil
	case IsExtended(apdu):
		return parseExtended(c, body)
	}
	n := int(body[0])
	switch {
	case n > 0 && len(body) == 1+n:
		c.Data = body[1:]
	case n > 0 && len(body) == 2+n:
		c.Data = body[1 : 1+n]
		c.Le = shortLe(body[1+n])
	default:
		return Command{}, fmt.Errorf("APDU with Lc %d and %d bytes after it: %w", n, len(body)-1, SWWrongLength)
	}
	return c, nil
}

func parseExtended(c Command, body []byte) (Command, error) {
	n := int(body[1])<<8 | int(body[2])
	switch {
	case len(body) == 3:
		c.Le = extendedLe(n)
	case n > 0 && len(body) == 3+n:
		c.Data = body[3:]
	case n > 0 && len(body) == 5+n:
		c.Data = body[3 : 3+n]
		c.Le = extendedLe(int(body[3+n])<<8 | int(body[4+n]))
	default:
		return Command{}, fmt.Errorf("extended APDU with Lc %d and %d bytes after it: %w", n, len(body)-3, SWWrongLength)
	}
	return c, nil
}

func shortLe(b byte) int {
	if b == 0 {
		return MaxShortLe
	}
	return int(b)
}

func extendedLe(n int) int {
	if n == 0 {
		return MaxExtendedLe
	}
	return n
}

// Name is the name that ISO 7816-4, -8 or -9 gives the command, or INS xx.
func (c Command) Name() string { return name(c.CLA, c.INS, c.P1, c.P2) }

// String shows name, header and lengths, never the data.
func (c Command) String() string {
	return fmt.Sprintf("%s (%02X %02X %02X %02X, %d bytes, Le %d)",
		c.Name(), c.CLA, c.INS, c.P1, c.P2, len(c.Data), c.Le)
}

// Format writes String for every verb, so that no verb shows the data.
func (c Command) Format(f fmt.State, _ rune) { fmt.Fprint(f, c.String()) }

// LogValue keeps the data out of slog.
func (c Command) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText keeps the data out of JSON and other encodings.
func (c Command) MarshalText() ([]byte, error) { return []byte(c.String()), nil }
