package piv

import (
	"bytes"
	"crypto/x509"
	"testing"
	"time"

	"github.com/go-cryptoki/cryptoki/internal/pivimage"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// goldenObjects are the values of a government card's objects.
func goldenObjects(f *testing.F) (list [][]byte) {
	i, err := pivimage.Read("../../apdu/virtual/testdata/piv/01_Golden_PIV.json.gz")
	if err != nil {
		f.Fatal(err)
	}
	for _, tag := range sortedKeys(i.Objects) {
		if v, err := content(tag, i.Objects[tag]); err == nil {
			list = append(list, v)
		}
	}
	return list
}

// Whatever objects hold, they are judged without panic.
func FuzzJudge(f *testing.F) {
	for _, seed := range [][]byte{
		{}, {0x30, 0x00}, tlv.New(tagBiometric, make([]byte, 200)), tlv.New(tagMapping, []byte{1, 0x30, 0}),
		append(tlv.New(tagMapping, []byte{1, 0x30, 0}), tlv.New(tagHashes, []byte{0x30, 0x03, 0x06, 0x01, 0x01})...),
		append(tlv.New(tagFASCN, make([]byte, 25)), tlv.New(tagSignature, []byte{0x30, 0x00})...),
		tlv.New(tagDiscovery, tlv.New(0x4F, aid), tlv.New(0x5F2F, []byte{0xFF, 0xFF})),
		tlv.New(tagPrintedExpiration, []byte("2032DEC02")), {0xC1, 0x01, 0xFF, 0xC2, 0x01, 0xFF},
	} {
		f.Add(seed, byte(len(seed)))
	}
	for _, object := range goldenObjects(f) {
		f.Add(object, byte(0))
	}
	f.Fuzz(func(t *testing.T, b []byte, where byte) {
		h := &holdings{issued: where&1 == 0, content: make(map[uint32][]byte), absent: make(map[uint32]bool), certs: make(map[*place]certificate)}
		for i := range containers {
			if where&2 == 0 || int(where>>2)%len(containers) == i {
				h.content[containers[i].tag] = b
			} else {
				h.absent[containers[i].tag] = true
			}
		}
		if c, err := x509.ParseCertificate(b); err == nil {
			h.certs[&places[0]] = certificate{parsed: c}
		}
		before := bytes.Clone(b)
		judge(h, time.Unix(0, 0), nil)
		if !bytes.Equal(b, before) {
			t.Error("what was read has been changed")
		}
	})
}
