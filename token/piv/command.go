package piv

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// Instructions, SP 800-73-5 part 2, and those of Yubico.
const (
	insVerify       = 0x20
	insChange       = 0x24
	insUnblock      = 0x2C
	insGenerate     = 0x47
	insAuthenticate = 0x87
	insGetData      = 0xCB
	insPutData      = 0xDB
	insMove         = 0xF6
	insMetadata     = 0xF7
	insSerial       = 0xF8
	insAttest       = 0xF9
	insSetRetries   = 0xFA
	insReset        = 0xFB
	insVersion      = 0xFD
	insImport       = 0xFE
	insSetAdmin     = 0xFF
)

const (
	swSecurity  = apdu.SWSecurityNotSatisfied
	swNotFound  = apdu.SWFileNotFound
	swWrongData = apdu.SWWrongData
	swP1P2      = apdu.SWWrongP1P2
	swReference = apdu.SWReferenceNotFound
)

// whole asks for all that there is.
const whole = apdu.MaxExtendedLe

// do sends a command in the application.
func (a *app) do(ctx context.Context, cmd apdu.Command) (resp []byte, err error) {
	err = a.conn.Exclusive(ctx, aid, func(ctx context.Context, tx *apdu.Tx) error {
		resp, err = tx.Do(ctx, cmd)
		a.long = a.long || len(resp) > apdu.MaxShortLe
		return err
	})
	return resp, err
}

// refused tells whether the card said no, as opposed to nothing.
func refused(err error) bool {
	var sw apdu.Status
	return errors.As(err, &sw)
}

// unless drops an error that is one of some status words.
func unless(err error, words ...apdu.Status) error {
	for _, sw := range words {
		if errors.Is(err, sw) {
			return nil
		}
	}
	return err
}

// number is a tag as bytes.
func number(tag uint32) []byte {
	switch {
	case tag > 0xFFFF:
		return []byte{byte(tag >> 16), byte(tag >> 8), byte(tag)}
	case tag > 0xFF:
		return []byte{byte(tag >> 8), byte(tag)}
	}
	return []byte{byte(tag)}
}

// getData reads an object, or no more than its first bytes, with its wrapper
// (GET DATA, SP 800-73-5 part 2 §3.1.2). An empty one is not there: 6A82.
func (a *app) getData(ctx context.Context, tag uint32, le int) ([]byte, error) {
	cmd := apdu.Command{INS: insGetData, P1: 0x3F, P2: 0xFF, Data: tlv.New(0x5C, number(tag)), Le: le}
	b, err := a.do(ctx, cmd)
	if err == nil && le == whole && cutShort(b) {
		b, err = a.extended(ctx, cmd, b)
	}
	if err != nil {
		return nil, err
	}
	if n, _, ok := header(b); ok && n == 0 || len(b) == 0 {
		return nil, fmt.Errorf("object %X is empty: %w", tag, swNotFound)
	}
	return b, nil
}

// extended reads again, with extended lengths, what a card without GET
// RESPONSE has cut off.
func (a *app) extended(ctx context.Context, cmd apdu.Command, short []byte) ([]byte, error) {
	before := a.conn.Capabilities()
	if before.Extended {
		return short, nil
	}
	caps := before
	caps.Known, caps.Extended = true, true
	a.conn.SetCapabilities(caps)
	b, err := a.do(ctx, cmd)
	if err != nil || cutShort(b) {
		a.conn.SetCapabilities(before)
	}
	if refused(err) {
		return short, nil
	}
	return b, err
}

// expectLong is for a long answer to a command that cannot be sent twice. A
// card that has not been seen to give one may have no GET RESPONSE: it is tried
// whether it takes extended lengths, of which its historical bytes say nothing.
func (a *app) expectLong(ctx context.Context) error {
	before := a.conn.Capabilities()
	if a.long || before.Extended {
		return nil
	}
	caps := before
	caps.Known, caps.Extended = true, true
	a.conn.SetCapabilities(caps)
	_, err := a.getData(ctx, tagDiscovery, whole)
	if err != nil && !errors.Is(err, swNotFound) {
		a.conn.SetCapabilities(before)
	}
	return unlessRefused(err)
}

// header reads the outermost tag and length of what may be only the beginning
// of an object, and returns the content as far as it is there.
func header(b []byte) (length int, content []byte, ok bool) {
	at := 1
	if len(b) > 1 && b[0]&0x1F == 0x1F {
		at = 2
	}
	if len(b) <= at {
		return 0, nil, false
	}
	n, skip := int(b[at]), 1
	if n > 0x80 && n <= 0x84 {
		skip += n - 0x80
		n = 0
		if len(b) < at+skip {
			return 0, nil, false
		}
		for _, x := range b[at+1 : at+skip] {
			n = n<<8 | int(x)
		}
	}
	return n, b[at+skip:], true
}

// cutShort tells whether an object is longer than what came of it.
func cutShort(b []byte) bool {
	n, content, ok := header(b)
	return ok && n > len(content)
}

// present tells in one exchange whether there is an object: its first bytes
// are enough.
func (a *app) present(ctx context.Context, tag uint32) (bool, error) {
	_, err := a.getData(ctx, tag, 8)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, swNotFound), errors.Is(err, swReference):
		return false, nil
	}
	return false, err
}

// content is the value of an object in its wrapper 53; those with a tag of
// their own are whole.
func content(tag uint32, b []byte) ([]byte, error) {
	if tag <= 0xFFFF {
		return b, nil
	}
	e, _, err := tlv.Next(b)
	if err != nil || e.Tag != 0x53 {
		return nil, ckr.Newf(ckr.DeviceError, "", "object %X is damaged", tag)
	}
	return e.Value, nil
}

// putData writes an object, or removes it if value is empty (PUT DATA, SP
// 800-73-5 part 2 §3.3.1). The management key is proved.
func (a *app) putData(ctx context.Context, tag uint32, value []byte) error {
	data := value
	if tag > 0xFFFF {
		data = append(tlv.New(0x5C, number(tag)), tlv.New(0x53, value)...)
	} else if len(value) == 0 {
		data = tlv.New(tlv.Tag(tag))
	}
	_, err := a.do(ctx, apdu.Command{INS: insPutData, P1: 0x3F, P2: 0xFF, Data: data})
	return err
}
