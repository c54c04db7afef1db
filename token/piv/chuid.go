package piv

import (
	"bytes"
	"math/bits"
	"time"

	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// chuid is the Card Holder Unique Identifier, SP 800-73-5 part 1 §3.1.2.
type chuid struct {
	fascn     []byte
	guid      []byte
	expires   time.Time // end of the last day; zero if it is not told
	signature []byte
	// signed are the contents that the signature may be of: with or without
	// the error detection code, and the obsolete buffer length.
	signed [][]byte
}

// Elements of the CHUID.
const (
	tagBufferLength = tlv.Tag(0xEE)
	tagFASCN        = tlv.Tag(0x30)
	tagGUID         = tlv.Tag(0x34)
	tagExpiration   = tlv.Tag(0x35)
	tagSignature    = tlv.Tag(0x3E)
)

const (
	fascnLength = 25
	guidLength  = 16
)

// readCHUID parses it, if it is there.
func (j *judgement) readCHUID() {
	v := j.content[tagCHUID]
	if v == nil {
		return
	}
	c := &chuid{}
	var without [4][]byte
	for e, err := range tlv.Parse(v) {
		if err != nil {
			j.say(Damaged, dataObject(tagCHUID), "%v", err)
			return
		}
		switch e.Tag {
		case tagFASCN:
			c.fascn = e.Value
		case tagGUID:
			c.guid = e.Value
		case tagExpiration:
			c.expires, _ = time.Parse("20060102", string(e.Value))
			if !c.expires.IsZero() {
				c.expires = c.expires.AddDate(0, 0, 1).Add(-time.Second)
			}
		case tagSignature:
			c.signature = e.Value
			continue
		}
		for i := range without {
			if e.Tag == tagErrorCode && i&1 != 0 || e.Tag == tagBufferLength && i&2 != 0 {
				continue
			}
			without[i] = append(without[i], e.Raw...)
		}
	}
	for i, s := range without {
		if i == 0 || !bytes.Equal(s, without[0]) {
			c.signed = append(c.signed, s)
		}
	}
	j.chuid = c
}

// judgeCHUID judges its form, its time and its signature.
func (j *judgement) judgeCHUID() {
	c, about := j.chuid, dataObject(tagCHUID)
	if c == nil {
		return
	}
	switch {
	case len(c.fascn) != fascnLength:
		j.say(Damaged, about, "its FASC-N has %d bytes, not %d", len(c.fascn), fascnLength)
	case !wellFormedFASCN(c.fascn):
		j.say(Damaged, about, "parity or check character of its FASC-N is wrong")
	}
	if len(c.guid) != guidLength {
		j.say(Damaged, about, "its card UUID has %d bytes, not %d", len(c.guid), guidLength)
	}
	switch {
	case c.expires.IsZero():
		j.say(Damaged, about, "it does not tell when the card expires")
	case j.at.After(c.expires):
		j.say(Expired, about, "the card was valid until %s", c.expires.Format(time.DateOnly))
	}
	if len(c.signature) > 0 {
		j.verify(about, c.signature, oidCHUID, c.signed...)
	} else if j.issued {
		j.say(Unsigned, about, "it is not signed by an issuer")
	}
}

// wellFormedFASCN checks parity and longitudinal redundancy of the 40
// characters of four bits and odd parity, Technical Implementation Guidance:
// Smart Card Enabled Physical Access Control Systems §2.1.
func wellFormedFASCN(b []byte) bool {
	check := byte(0)
	for n := range fascnLength * 8 / 5 {
		var c byte
		for i := range 5 {
			at := 5*n + i
			c = c<<1 | b[at/8]>>(7-at%8)&1
		}
		if bits.OnesCount8(c)%2 == 0 {
			return false
		}
		check ^= c >> 1
	}
	return check == 0
}
