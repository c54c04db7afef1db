package myeid

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
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
)

type headImage struct {
	Persona   Persona
	LifeCycle byte
	Counter   uint16
	NextUID   uint32
	Root      uint32
}

type pinImage struct {
	Code, PUK                              []byte
	Tries, PUKTries, Max, PUKMax           byte
	Flags, Kind, Grid, MinLength, MinOfPUK byte
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

type keyImage struct {
	Parts map[string][]byte // by P2 of PUT DATA, in hex
}

func record(folder string, n uint32) string { return fmt.Sprintf("%s%08x", folder, n) }

// encodeChanges turns the journal into records.
func (c *Card) encodeChanges() (changes []Change, err error) {
	put := func(key string, v any) {
		value, e := json.Marshal(v)
		err = errors.Join(err, e)
		changes = append(changes, Change{key, value})
	}
	j := &c.journal
	if j.head {
		put(HeadRecord, headImage{c.persona, c.lifeCycle, c.counter, c.nextUID, c.root.uid})
	}
	for ref := 1; ref <= pinCount; ref++ {
		if j.pins&(1<<ref) == 0 {
			continue
		}
		if p := &c.pins[ref]; p.set {
			put(record(pinFolder, uint32(ref)), p.image())
		} else {
			changes = append(changes, Change{Key: record(pinFolder, uint32(ref))})
		}
	}
	for _, uid := range j.gone {
		for _, folder := range []string{fileFolder, contentFolder, keyFolder} {
			changes = append(changes, Change{Key: record(folder, uid)})
		}
	}
	for f := range j.headers {
		put(record(fileFolder, f.uid), f.image())
	}
	for f := range j.contents {
		changes = append(changes, Change{record(contentFolder, f.uid), slices.Clone(f.content)})
	}
	for f := range j.keys {
		put(record(keyFolder, f.uid), f.key.image())
	}
	return changes, err
}

func (p *pin) image() pinImage {
	return pinImage{p.code[:], p.puk[:], p.tries, p.pukTries, p.max, p.pukMax,
		p.flags, p.kind, p.grid, p.minLen, p.pukMin}
}

func (f *file) image() fileImage {
	i := fileImage{ID: f.id, Kind: byte(f.kind), SizeTag: f.sizeTag, Size: f.size,
		ACL: f.acl[:], Prop: f.prop, Name: f.name}
	if f.parent != nil {
		i.Parent = f.parent.uid
	}
	return i
}

func (k *key) image() keyImage {
	i := keyImage{Parts: make(map[string][]byte, len(k.parts))}
	for id, part := range k.parts {
		i.Parts[strconv.FormatUint(uint64(id), 16)] = part
	}
	return i
}
