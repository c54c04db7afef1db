package myeid

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

func (p *pin) setImage(i pinImage) error {
	if len(i.Code) != pinLength || len(i.PUK) != pinLength || i.MinLength > pinLength {
		return errors.New("a PIN of another length")
	}
	*p = pin{set: true, tries: i.Tries, pukTries: i.PUKTries, max: i.Max, pukMax: i.PUKMax,
		flags: i.Flags, kind: i.Kind, grid: i.Grid, minLen: i.MinLength, pukMin: i.MinOfPUK}
	copy(p.code[:], i.Code)
	copy(p.puk[:], i.PUK)
	clear(i.Code)
	clear(i.PUK)
	return nil
}

// restore replaces the card's lasting state by what the Store has.
func (c *Card) restore() error {
	records, err := c.store.Records()
	if err != nil {
		return err
	}
	fresh := &Card{store: c.store, broken: c.broken}
	if err := fresh.decode(records); err != nil {
		return err
	}
	for _, value := range records {
		clear(value)
	}
	fresh.journal.on = true
	*c = *fresh
	return nil
}

func (c *Card) decode(records map[string][]byte) error {
	var head headImage
	if err := decodeRecord(records, HeadRecord, &head); err != nil {
		return err
	}
	c.persona, c.lifeCycle, c.counter, c.nextUID = head.Persona, head.LifeCycle, head.Counter, head.NextUID
	for ref := uint32(1); ref <= pinCount; ref++ {
		if _, set := records[record(pinFolder, ref)]; !set {
			continue
		}
		var i pinImage
		if err := decodeRecord(records, record(pinFolder, ref), &i); err != nil {
			return err
		}
		if err := c.pins[ref].setImage(i); err != nil {
			return err
		}
	}
	return c.decodeFiles(records, head.Root)
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
		f, err := decodeFile(records, uint32(uid), files)
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

func decodeFile(records map[string][]byte, uid uint32, files map[uint32]*file) (*file, error) {
	var i fileImage
	if err := decodeRecord(records, record(fileFolder, uid), &i); err != nil {
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
	if f.isEF() {
		f.content = slices.Clone(records[record(contentFolder, uid)])
		if len(f.content) != int(f.size) {
			return nil, fmt.Errorf("file %04X has lost its content", f.id)
		}
	}
	return f, f.decodeKey(records)
}

func (f *file) decodeKey(records map[string][]byte) error {
	if _, ok := records[record(keyFolder, f.uid)]; !ok || !f.kind.isKey() {
		return nil
	}
	var i keyImage
	if err := decodeRecord(records, record(keyFolder, f.uid), &i); err != nil {
		return err
	}
	for hex, part := range i.Parts {
		id, err := strconv.ParseUint(hex, 16, 8)
		if err != nil {
			return fmt.Errorf("file %04X has an unknown part of a key", f.id)
		}
		f.key.set(byte(id), part)
		clear(part)
	}
	if !f.key.parse(f.kind, int(f.size)) || f.prop&propValid != 0 && !f.key.usable() {
		return fmt.Errorf("file %04X holds a damaged key", f.id)
	}
	return nil
}
