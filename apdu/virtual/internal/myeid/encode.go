package myeid

import (
	"errors"
	"maps"
	"slices"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/record"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/seal"
)

// encodeChanges turns the journal into records.
func (c *Card) encodeChanges() *record.Encoder {
	var e record.Encoder
	j := &c.journal
	if j.head {
		e.Put(HeadRecord, headImage{c.id, c.persona, c.lifeCycle, c.counter, c.nextUID, c.root.uid})
	}
	c.encodePINs(&e)
	for _, uid := range j.gone {
		for _, folder := range []string{fileFolder, contentFolder, keyFolder, sealedFolder} {
			e.Drop(recordKey(folder, uid))
		}
	}
	for f := range j.headers {
		e.Put(recordKey(fileFolder, f.uid), f.image())
	}
	for f := range j.contents {
		c.encodeContent(&e, f)
	}
	for f := range j.keys {
		c.encodeKey(&e, f)
	}
	return &e
}

func (c *Card) encodePINs(e *record.Encoder) {
	// All pairs first: PINs are sealed to those of others.
	for ref := range c.pins {
		p := &c.pins[ref]
		if !p.set || p.pair != nil {
			continue
		}
		var err error
		if p.pair, err = seal.NewPair(); err != nil {
			e.Fail(err)
			return
		}
	}
	for ref := 1; ref <= pinCount; ref++ {
		switch key := recordKey(pinFolder, uint32(ref)); {
		case c.journal.pins&(1<<ref) == 0:
		case c.pins[ref].set:
			c.encodePIN(e, ref, key)
		default:
			e.Drop(key)
		}
	}
}

var errUnknown = errors.New("something is to be kept that is not known")

// demand has nothing kept if that would lose what is not known. It happens
// with forged records only.
func demand(e *record.Encoder, known bool) {
	if !known {
		e.Fail(errUnknown)
	}
}

func (c *Card) encodePIN(e *record.Encoder, ref int, key string) {
	p := &c.pins[ref]
	demand(e, c.shut(ref, &p.code, ownCode) && c.shut(ref, &p.puk, itsPUK))
	i := pinImage{
		Tries: p.tries, PUKTries: p.pukTries, Max: p.max, PUKMax: p.pukMax,
		Flags: p.flags, Kind: p.kind, Grid: p.grid, MinLength: p.minLen, MinOfPUK: p.pukMin,
		Public: p.pair.Public(), CodeLock: p.code.lock, PUKLock: p.puk.lock,
	}
	if c.lifeCycle == stateOperational {
		e.Fail(c.deposit(ref))
		i.Escrow = p.escrow
	} else {
		i.Private = p.pair.Private()
		defer clear(i.Private)
	}
	e.Put(key, i)
}

func (f *file) image() fileImage {
	i := fileImage{ID: f.id, Kind: byte(f.kind), SizeTag: f.sizeTag, Size: f.size,
		ACL: f.acl[:], Prop: f.prop, Name: f.name}
	if f.parent != nil {
		i.Parent = f.parent.uid
	}
	return i
}

func (c *Card) encodeContent(e *record.Encoder, f *file) {
	key := recordKey(contentFolder, f.uid)
	if !c.seals(f) {
		demand(e, f.closed == nil)
		e.PutBytes(key, slices.Clone(f.content))
		e.Drop(recordKey(sealedFolder, f.uid))
		return
	}
	e.Drop(key)
	layers, err := c.sealContent(f)
	putLayers(e, f, layers, err)
}

func (c *Card) encodeKey(e *record.Encoder, f *file) {
	i := keyImage{Parts: maps.Clone(f.key.parts)}
	if !c.seals(f) {
		demand(e, f.closed == nil)
		e.Put(recordKey(keyFolder, f.uid), i)
		e.Drop(recordKey(sealedFolder, f.uid))
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
	e.Put(recordKey(keyFolder, f.uid), i)
	layers, err := c.sealKey(f)
	putLayers(e, f, layers, err)
}

// putLayers keeps what is sealed of a file, if anything is.
func putLayers(e *record.Encoder, f *file, layers [][]byte, err error) {
	e.Fail(err)
	if len(layers) == 0 {
		e.Drop(recordKey(sealedFolder, f.uid))
		return
	}
	e.Put(recordKey(sealedFolder, f.uid), sealedImage{layers})
}
