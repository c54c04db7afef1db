package faults_test

import (
	"encoding/binary"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// Files of a PKCS #15 application, as the virtual card has them.
const (
	fidODF       = 0x5031
	fidTokenInfo = 0x5032
	fidAODF      = 0x4401
	fidPrKDF     = 0x4402
	fidCDF       = 0x4403
	fidDODF      = 0x4406
)

// forged gives files another content: what SELECT and READ BINARY answer of
// them comes from here. A size of the SELECT that is not 0 is told in place of
// the true one.
type forged map[uint16]forgery

type forgery struct {
	content []byte
	size    int
}

// forge has the card answer for the files.
func (r *rig) forge(files forged) {
	var current uint16
	r.card.SetFaults(func(_ int, command []byte) virtual.Fault {
		switch command[1] {
		case 0xA4:
			return files.selected(&current, command)
		case 0xB0:
			if f, ok := files[current]; ok {
				return virtual.Fault{Kind: virtual.Refuse, Answer: f.read(command)}
			}
		}
		return virtual.Fault{}
	})
}

func (files forged) selected(current *uint16, command []byte) virtual.Fault {
	*current = 0
	if len(command) < 7 || command[2] == 0x04 {
		return virtual.Fault{}
	}
	data := command[5 : 5+int(command[4])]
	*current = binary.BigEndian.Uint16(data[len(data)-2:])
	f, ok := files[*current]
	if !ok {
		return virtual.Fault{}
	}
	size := f.size
	if size == 0 {
		size = len(f.content)
	}
	return virtual.Fault{Kind: virtual.Override, Answer: append(tlv.New(0x6F,
		tlv.New(0x80, []byte{byte(size >> 8), byte(size)}),
		tlv.New(0x82, []byte{0x01}),
		tlv.New(0x86, []byte{0, 0, 0})), 0x90, 0x00)}
}

func (f forgery) read(command []byte) []byte {
	at := int(binary.BigEndian.Uint16(command[2:]))
	if at >= len(f.content) {
		return []byte{0x6B, 0x00}
	}
	n := int(command[4])
	if n == 0 {
		n = 256
	}
	part := f.content[at:min(at+n, len(f.content))]
	return append(append([]byte(nil), part...), 0x90, 0x00)
}

// Parts of directory entries.
const (
	seq     tlv.Tag = 0x30
	utf8Tag tlv.Tag = 0x0C
	octets  tlv.Tag = 0x04
	bitstr  tlv.Tag = 0x03
)

// dataEntry is a data object in a directory.
func dataEntry(label, path []byte) []byte {
	return tlv.New(seq,
		tlv.New(seq, tlv.New(utf8Tag, label)),
		tlv.New(seq, tlv.New(utf8Tag, []byte("app"))),
		tlv.New(0xA1, tlv.New(seq, tlv.New(octets, path))))
}

// certEntry is a certificate in a directory.
func certEntry(label, id, path []byte) []byte {
	return tlv.New(seq,
		tlv.New(seq, tlv.New(utf8Tag, label)),
		tlv.New(seq, tlv.New(octets, id)),
		tlv.New(0xA1, tlv.New(seq, tlv.New(seq, tlv.New(octets, path)))))
}
