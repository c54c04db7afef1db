package myeid

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/seal"
)

// The records of a card, in JSON: one head, one for each PIN that was set,
// and for each file one of its header, and one of its content or key. The head
// tells that a Store holds such a card.
const (
	HeadRecord    = "card/head"
	pinFolder     = "pin/"
	fileFolder    = "file/"
	contentFolder = "data/"
	keyFolder     = "key/"
	sealedFolder  = "sealed/"
)

type headImage struct {
	ID        []byte
	Persona   Persona
	LifeCycle byte
	Counter   uint16
	NextUID   uint32
	Root      uint32
}

type pinImage struct {
	// Version 1 has the codes as they are, and no more.
	Code, PUK []byte `json:",omitempty"`

	Tries, PUKTries, Max, PUKMax           byte
	Flags, Kind, Grid, MinLength, MinOfPUK byte

	// The pair, its private half behind both codes and sealed to the pairs of
	// others, and before activation also as it is: the card asks for no PIN
	// then.
	Public            []byte          `json:",omitempty"`
	Private           []byte          `json:",omitempty"`
	CodeLock, PUKLock *seal.Lock      `json:",omitempty"`
	Escrow            map[byte][]byte `json:",omitempty"`
}

type fileImage struct {
	Parent  uint32
	ID      uint16
	Kind    byte
	SizeTag byte
	Size    uint16
	ACL     []byte
	Prop    uint16
	Name    []byte
}

// keyImage is what is not sealed of a key; in version 1, all.
type keyImage struct {
	Parts  keyParts
	Sealed []byte `json:",omitempty"` // the parts that are, by P2 of PUT DATA
	// The public half, if the private parts make a key and are sealed.
	Modulus  []byte `json:",omitempty"`
	Exponent int    `json:",omitempty"`
	Point    []byte `json:",omitempty"`
}

// sealedImage holds the content or the private parts of the key of a file.
type sealedImage struct {
	Layers [][]byte
}

// keyParts are parts of a key by P2 of PUT DATA, which is a hexadecimal number
// in JSON.
type keyParts map[byte][]byte

func (p keyParts) MarshalJSON() ([]byte, error) {
	byName := make(map[string][]byte, len(p))
	for id, part := range p {
		byName[strconv.FormatUint(uint64(id), 16)] = part
	}
	return json.Marshal(byName)
}

func (p *keyParts) UnmarshalJSON(b []byte) error {
	var byName map[string][]byte
	if err := json.Unmarshal(b, &byName); err != nil {
		return err
	}
	*p = make(keyParts, len(byName))
	for name, part := range byName {
		id, err := strconv.ParseUint(name, 16, 8)
		if err != nil {
			return err
		}
		(*p)[byte(id)] = part
	}
	return nil
}

func recordKey(folder string, n uint32) string { return fmt.Sprintf("%s%08x", folder, n) }
