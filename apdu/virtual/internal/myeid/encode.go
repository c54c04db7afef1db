package myeid

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/seal"
)

// encoder collects records.
type encoder struct {
	changes []Change
	err     error
}

func (e *encoder) put(key string, v any) {
	value, err := json.Marshal(v)
	e.err = errors.Join(e.err, err)
	e.changes = append(e.changes, Change{key, value})
}

func (e *encoder) drop(key string) { e.changes = append(e.changes, Change{Key: key}) }

// encodeChanges turns the journal into records.
func (c *Card) encodeChanges() ([]Change, error) {
	var e encoder
	j := &c.journal
	if j.head {
		e.put(HeadRecord, headImage{c.id, c.persona, c.lifeCycle, c.counter, c.nextUID, c.root.uid})
	}
	c.encodePINs(&e)
	for _, uid := range j.gone {
		for _, folder := range []string{fileFolder, contentFolder, keyFolder, sealedFolder} {
			e.drop(record(folder, uid))
		}
	}
	for f := range j.headers {
		e.put(record(fileFolder, f.uid), f.image())
	}
	for f := range j.contents {
		c.encodeContent(&e, f)
	}
	for f := range j.keys {
		c.encodeKey(&e, f)
	}
	return e.changes, e.err
}

func (c *Card) encodePINs(e *encoder) {
	// All pairs first: PINs are sealed to those of others.
	for ref := range c.pins {
		p := &c.pins[ref]
		if !p.set || p.pair != nil {
			continue
		}
		var err error
		if p.pair, err = seal.NewPair(); err != nil {
			e.err = errors.Join(e.err, err)
			return
		}
	}
	for ref := 1; ref <= pinCount; ref++ {
		switch key := record(pinFolder, uint32(ref)); {
		case c.journal.pins&(1<<ref) == 0:
		case c.pins[ref].set:
			c.encodePIN(e, ref, key)
		default:
			e.drop(key)
		}
	}
}

var errUnknown = errors.New("something is to be kept that is not known")

// demand has nothing kept if that would lose what is not known. It happens
// with forged records only.
func (e *encoder) demand(known bool) {
	if !known {
		e.err = errors.Join(e.err, errUnknown)
	}
}

func (c *Card) encodePIN(e *encoder, ref int, key string) {
	p := &c.pins[ref]
	e.demand(c.shut(ref, &p.code, ownCode) && c.shut(ref, &p.puk, itsPUK))
	i := pinImage{
		Tries: p.tries, PUKTries: p.pukTries, Max: p.max, PUKMax: p.pukMax,
		Flags: p.flags, Kind: p.kind, Grid: p.grid, MinLength: p.minLen, MinOfPUK: p.pukMin,
		Public: p.pair.Public(), CodeLock: p.code.lock, PUKLock: p.puk.lock,
	}
	if c.lifeCycle == stateOperational {
		e.err = errors.Join(e.err, c.deposit(ref))
		i.Escrow = p.escrow
	} else {
		i.Private = p.pair.Private()
		defer clear(i.Private)
	}
	e.put(key, i)
}

func (f *file) image() fileImage {
	i := fileImage{ID: f.id, Kind: byte(f.kind), SizeTag: f.sizeTag, Size: f.size,
		ACL: f.acl[:], Prop: f.prop, Name: f.name}
	if f.parent != nil {
		i.Parent = f.parent.uid
	}
	return i
}

func (c *Card) encodeContent(e *encoder, f *file) {
	key := record(contentFolder, f.uid)
	if !c.seals(f) {
		e.demand(f.closed == nil)
		e.changes = append(e.changes, Change{key, slices.Clone(f.content)})
		e.drop(record(sealedFolder, f.uid))
		return
	}
	e.drop(key)
	layers, err := c.sealContent(f)
	e.putLayers(f, layers, err)
}

func (c *Card) encodeKey(e *encoder, f *file) {
	i := keyImage{Parts: maps.Clone(f.key.parts)}
	if !c.seals(f) {
		e.demand(f.closed == nil)
		e.put(record(keyFolder, f.uid), i)
		e.drop(record(sealedFolder, f.uid))
		return
	}
	maps.DeleteFunc(i.Parts, func(id byte, _ []byte) bool {
		if f.isPrivate(id) {
			i.Sealed = append(i.Sealed, id)
		}
		return f.isPrivate(id)
	})
	if f.closed != nil {
		i.Sealed = slices.AppendSeq(i.Sealed, maps.Keys(f.closed.parts))
	}
	slices.Sort(i.Sealed)
	if k := &f.key; k.pub != nil {
		i.Modulus, i.Exponent = k.pub.N.Bytes(), k.pub.E
	} else {
		i.Point = k.q
	}
	e.put(record(keyFolder, f.uid), i)
	layers, err := c.sealKey(f)
	e.putLayers(f, layers, err)
}

// putLayers keeps what is sealed of a file, if anything is.
func (e *encoder) putLayers(f *file, layers [][]byte, err error) {
	e.err = errors.Join(e.err, err)
	if len(layers) == 0 {
		e.drop(record(sealedFolder, f.uid))
		return
	}
	e.put(record(sealedFolder, f.uid), sealedImage{layers})
}
