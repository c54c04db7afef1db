package piv

import (
	"bytes"
	"encoding/binary"

	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// biometrics are the objects that hold a biometric record.
var biometrics = []uint32{tagFingerprints, tagFace, tagIris}

const (
	tagFingerprints = 0x5FC103
	tagFace         = 0x5FC108
	tagIris         = 0x5FC121
	tagBiometric    = tlv.Tag(0xBC)
)

// The CBEFF header, SP 800-76-2 table 14: after version and options, the
// lengths of record and signature, and towards its end the FASC-N.
const (
	cbeffHeader = 88
	cbeffFASCN  = 59
)

// judgeBiometric judges the signature of a biometric record and whose it is.
// The dates in its header are the record's own and not judged.
func (j *judgement) judgeBiometric(tag uint32) {
	v, about := j.content[tag], dataObject(tag)
	if v == nil {
		return
	}
	record, err := tlv.Find(v, tagBiometric)
	if err != nil || len(record) < cbeffHeader {
		j.say(Damaged, about, "it holds no biometric record")
		return
	}
	data, signature := uint64(binary.BigEndian.Uint32(record[2:])), uint64(binary.BigEndian.Uint16(record[6:]))
	if cbeffHeader+data+signature != uint64(len(record)) {
		j.say(Damaged, about, "its record has %d bytes, and tells of %d", len(record), cbeffHeader+data+signature)
		return
	}
	end := cbeffHeader + int(data)
	j.sameCard(about, "its record", record[cbeffFASCN:cbeffFASCN+fascnLength], nil)
	if signature == 0 {
		j.say(Unsigned, about, "it is not signed by an issuer")
		return
	}
	if s := j.verify(about, record[end:], oidBiometric, record[:end]); s != nil {
		j.sameCard(about, "its signature", s.Octets(oidFASCN), s.Octets(oidEntryUUID))
	}
}

// sameCard compares what something names, if it does, with the CHUID, if that
// names it, too.
func (j *judgement) sameCard(about subject, what string, fascn, guid []byte) {
	if j.chuid == nil {
		return
	}
	if fascn != nil && len(j.chuid.fascn) == fascnLength && !bytes.Equal(fascn, j.chuid.fascn) {
		j.say(Mismatch, about, "the FASC-N of %s is not the CHUID's", what)
	}
	if guid != nil && len(j.chuid.guid) == guidLength && !bytes.Equal(guid, j.chuid.guid) {
		j.say(Mismatch, about, "the card UUID of %s is not the CHUID's", what)
	}
}
