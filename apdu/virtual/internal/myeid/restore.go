package myeid

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/record"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/seal"
)

// restore replaces the card's lasting state by what the Store has.
func (c *Card) restore() error {
	fresh := &Card{store: c.store, kit: c.kit}
	if err := record.Read(c.store, fresh.decode); err != nil {
		return err
	}
	fresh.journal.on = true
	fresh.inherit(c)
	*c = *fresh
	return nil
}

func (c *Card) decode(records map[string][]byte) error {
	var head headImage
	if err := decodeRecord(records, HeadRecord, &head); err != nil {
		return err
	}
	if c.id = head.ID; c.id == nil {
		c.id = newID() // version 1
	}
	c.persona, c.lifeCycle, c.counter, c.nextUID = head.Persona, head.LifeCycle, head.Counter, head.NextUID
	for ref := uint32(1); ref <= pinCount; ref++ {
		if _, set := records[recordKey(pinFolder, ref)]; !set {
			continue
		}
		var i pinImage
		if err := decodeRecord(records, recordKey(pinFolder, ref), &i); err != nil {
			return err
		}
		if err := c.pins[ref].decode(i); err != nil {
			return err
		}
	}
	return c.decodeFiles(records, head.Root)
}

func (p *pin) decode(i pinImage) (err error) {
	if i.MinLength > pinLength {
		return errors.New("a PIN of another length")
	}
	*p = pin{set: true, tries: i.Tries, pukTries: i.PUKTries, max: i.Max, pukMax: i.PUKMax,
		flags: i.Flags, kind: i.Kind, grid: i.Grid, minLen: i.MinLength, pukMin: i.MinOfPUK}
	if i.Public == nil {
		return p.decodeCodes(i)
	}
	if p.pair, err = seal.ParsePair(i.Public); err != nil {
		return err
	}
	if !i.CodeLock.Valid() || !i.PUKLock.Valid() {
		return errors.New("a lock that cannot be opened")
	}
	p.code.lock, p.puk.lock = i.CodeLock, i.PUKLock
	for by := range i.Escrow {
		if by < 1 || by > pinCount {
			return errors.New("a PIN is set by an unknown one")
		}
	}
	p.escrow = i.Escrow
	if i.Private == nil {
		return nil
	}
	defer clear(i.Private)
	return p.pair.Unlock(i.Private)
}

// decodeCodes takes codes of version 1.
func (p *pin) decodeCodes(i pinImage) error {
	if len(i.Code) != pinLength || len(i.PUK) != pinLength {
		return errors.New("a PIN of another length")
	}
	p.code.set(i.Code)
	p.puk.set(i.PUK)
	clear(i.Code)
	clear(i.PUK)
	return nil
}

func decodeRecord(records map[string][]byte, key string, v any) error {
	value, ok := records[key]
	if !ok {
		return fmt.Errorf("record %s is missing", key)
	}
	if json.Unmarshal(value, v) != nil {
		return fmt.Errorf("record %s cannot be read", key)
	}
	return nil
}

// decodeFiles builds the tree. Numbers of files grow with their creation, so
// a file's directory is always there before it, and there can be no ring.
func (c *Card) decodeFiles(records map[string][]byte, root uint32) error {
	files := make(map[uint32]*file)
	for _, key := range slices.Sorted(maps.Keys(records)) {
		hex, ok := strings.CutPrefix(key, fileFolder)
		if !ok {
			continue
		}
		uid, err := strconv.ParseUint(hex, 16, 32)
		if err != nil {
			return fmt.Errorf("record %s has no number", key)
		}
		f, err := c.decodeFile(records, uint32(uid), files)
		if err != nil {
			return err
		}
		if f.parent == nil && f.uid != root || f.uid >= c.nextUID {
			return fmt.Errorf("file %04X belongs nowhere", f.id)
		}
		files[f.uid] = f
		c.used += f.cost()
	}
	if c.root = files[root]; c.root == nil || !c.root.isDF() {
		return errors.New("the master file is missing")
	}
	return nil
}

func (c *Card) decodeFile(records map[string][]byte, uid uint32, files map[uint32]*file) (*file, error) {
	var i fileImage
	if err := decodeRecord(records, recordKey(fileFolder, uid), &i); err != nil {
		return nil, err
	}
	f := &file{uid: uid, id: i.ID, kind: kind(i.Kind), sizeTag: i.SizeTag, size: i.Size, prop: i.Prop, name: i.Name}
	if copy(f.acl[:], i.ACL) != len(f.acl) || !f.kind.known() || f.kind.plain() == kindEC && curveOf(int(f.size)) == nil {
		return nil, fmt.Errorf("file %04X is of no known kind", f.id)
	}
	if parent := files[i.Parent]; parent != nil && parent.isDF() {
		f.parent = parent
		parent.children = append(parent.children, f)
	}
	switch {
	case f.isEF():
		return f, c.decodeContent(f, records)
	case f.kind.isKey():
		return f, c.decodeKey(f, records)
	}
	return f, nil
}

func (c *Card) decodeContent(f *file, records map[string][]byte) (err error) {
	open, there := records[recordKey(contentFolder, f.uid)]
	if there {
		f.content = slices.Clone(open)
	} else {
		f.content = make([]byte, f.size)
		fill(f.content)
		f.closed, err = c.decodeLayers(f, records)
	}
	if len(f.content) != int(f.size) || err != nil {
		return fmt.Errorf("file %04X has lost its content", f.id)
	}
	return nil
}

// decodeLayers reads what is sealed of a file. It must be there if the PIN is
// that opens it.
func (c *Card) decodeLayers(f *file, records map[string][]byte) (*closed, error) {
	var i sealedImage
	if c.pair(f) == nil {
		return &closed{}, nil
	}
	if err := decodeRecord(records, recordKey(sealedFolder, f.uid), &i); err != nil {
		return nil, err
	}
	if len(i.Layers) == 0 || len(i.Layers) > maxLayers+1 {
		return nil, errLayers
	}
	return &closed{layers: i.Layers}, nil
}

func (c *Card) decodeKey(f *file, records map[string][]byte) error {
	if _, ok := records[recordKey(keyFolder, f.uid)]; !ok {
		return nil
	}
	var i keyImage
	if err := decodeRecord(records, recordKey(keyFolder, f.uid), &i); err != nil {
		return err
	}
	for id, part := range i.Parts {
		f.key.set(id, part)
		clear(part)
	}
	if err := f.decodePublic(i); err != nil {
		return err
	}
	if len(i.Sealed) > 0 {
		var err error
		if f.closed, err = c.decodeLayers(f, records); err != nil {
			return fmt.Errorf("file %04X has lost its key", f.id)
		}
		f.closed.parts = make(map[byte]bool)
		for _, id := range i.Sealed {
			f.closed.parts[id] = true
		}
		return nil
	}
	if !f.key.parse(f.kind, int(f.size)) || f.prop&propValid != 0 && !f.key.usable() {
		return fmt.Errorf("file %04X holds a damaged key", f.id)
	}
	return nil
}

// decodePublic takes the public half of a key that is sealed.
func (f *file) decodePublic(i keyImage) error {
	n := new(big.Int).SetBytes(i.Modulus)
	switch k := f.kind.plain(); {
	case i.Modulus != nil && k == kindRSA && n.BitLen() == int(f.size) && i.Exponent > 2:
		f.key.pub = &rsa.PublicKey{N: n, E: i.Exponent}
	case i.Point != nil && k == kindEC:
		if _, err := ecdsa.ParseUncompressedPublicKey(curveOf(int(f.size)), i.Point); err != nil {
			return fmt.Errorf("file %04X holds no point of its curve", f.id)
		}
		f.key.q = i.Point
	case i.Modulus != nil || i.Point != nil:
		return fmt.Errorf("file %04X holds a public key of another kind", f.id)
	}
	return nil
}
