package piv

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"slices"

	"github.com/go-cryptoki/cryptoki/internal/cms"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// The security object holds hashes of other objects, signed: SP 800-73-5 part
// 1 §3.1.7, and the LDS security object of ICAO 9303-10 §4.6.2.
const (
	tagSecurity = 0x5FC106
	tagMapping  = tlv.Tag(0xBA)
	tagHashes   = tlv.Tag(0xBB)
)

// Content types of the LDS security object: ICAO's, and the one that PIV took
// from its draft.
var oidsLDS = []asn1.ObjectIdentifier{{2, 23, 136, 1, 1, 1}, {1, 3, 27, 1, 1, 1}}

type ldsSecurityObject struct {
	Version int
	Hash    pkix.AlgorithmIdentifier
	Groups  []ldsGroup
	Extra   asn1.RawValue `asn1:"optional"`
}

type ldsGroup struct {
	Number int
	Hash   []byte
}

// containerIDs are the objects that the mapping names, SP 800-73-5 part 1 table
// 2: the first column, by the third.
var containerIDs = map[uint16]uint32{
	0xDB00: 0x5FC107, 0x3000: tagCHUID, 0x0101: 0x5FC105, 0x6010: tagFingerprints, 0x9000: tagSecurity,
	0x6030: tagFace, 0x3001: tagPrinted, 0x0100: 0x5FC10A, 0x0102: 0x5FC10B, 0x0500: 0x5FC101,
	0x6050: tagDiscovery, 0x6060: tagHistory, 0x1015: tagIris, 0x1016: tagBIT, 0x1017: 0x5FC122, 0x1018: 0x5FC123,
}

// judgeSecurity verifies the signature of the security object, and compares the
// hashes in it with the objects that were read.
func (j *judgement) judgeSecurity() {
	v, about := j.content[tagSecurity], dataObject(tagSecurity)
	if v == nil {
		return
	}
	mapping, err := tlv.Find(v, tagMapping)
	if err != nil || len(mapping)%3 != 0 {
		j.say(Damaged, about, "it does not tell which objects it is about")
		return
	}
	signature, err := tlv.Find(v, tagHashes)
	if err != nil {
		j.say(Damaged, about, "it has no hashes")
		return
	}
	sd, err := cms.Parse(signature)
	if err != nil {
		j.say(Damaged, about, "its signature: %v", err)
		return
	}
	j.verifyParsed(about, sd, sd.ContentType, sd.Content)
	if !slices.ContainsFunc(oidsLDS, sd.ContentType.Equal) {
		j.say(Damaged, about, "what is signed is a %v, no list of hashes", sd.ContentType)
		return
	}
	var lds ldsSecurityObject
	if _, err := asn1.Unmarshal(sd.Content, &lds); err != nil {
		j.say(Damaged, about, "its list of hashes: %v", err)
		return
	}
	j.compare(about, mapping, lds)
}

// compare has each hash of the list be that of the object that the mapping
// names. An object that was not read is passed over.
func (j *judgement) compare(about subject, mapping []byte, lds ldsSecurityObject) {
	hash := cms.HashOf(lds.Hash)
	if hash == 0 {
		j.say(Unverified, about, "its hashes are of an algorithm that is not known, %v", lds.Hash.Algorithm)
		return
	}
	groups := make(map[int][]byte)
	for _, g := range lds.Groups {
		groups[g.Number] = g.Hash
	}
	for m := range slices.Chunk(mapping, 3) {
		number, id := int(m[0]), binary.BigEndian.Uint16(m[1:])
		tag, known := containerIDs[id]
		want, listed := groups[number]
		switch {
		case !known:
			j.say(Damaged, about, "it is about a container %04X, which there is not", id)
			continue
		case !listed:
			j.say(Damaged, about, "it has no hash of the %s", dataObject(tag).label)
			continue
		case j.absent[tag]:
			j.say(Mismatch, about, "it has a hash of the %s, which the card has not", dataObject(tag).label)
			continue
		}
		v, read := j.content[tag]
		if !read {
			continue
		}
		if _, inner, ok := header(v); ok && tag <= 0xFFFF {
			v = inner // what is hashed has no wrapper, its own neither
		}
		h := hash.New()
		h.Write(v)
		if !bytes.Equal(h.Sum(nil), want) {
			j.say(Tampered, dataObject(tag), "it has not the hash that the security object has of it")
		}
	}
}
