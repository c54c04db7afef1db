package myeid

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/seal"
)

// maxLayers is how often a content may be written in part without its PIN,
// each time after the card was loaded anew.
const maxLayers = 64

// closed is what is not known of a file because a PIN guards it that was not
// given since the card was loaded. It is kept in layers, the later ones over
// the earlier: the content, or the private parts of the key; what was written
// since is a layer of its own.
type closed struct {
	layers  [][]byte
	parts   map[byte]bool // of a key: the parts in the layers
	written []bool        // of a content: the bytes that were written since
	damaged bool
}

// label says where something sealed belongs: on this card, in a record.
func (c *Card) label(key, what string) string {
	return fmt.Sprintf("card %x, record %s, %s", c.id, key, what)
}

func (c *Card) layerLabel(f *file, n int) string {
	return c.label(recordKey(sealedFolder, f.uid), "layer "+strconv.Itoa(n))
}

// guard returns the condition under which the private part of a file is used.
func (f *file) guard() byte {
	switch {
	case f.isEF():
		return f.acl.read()
	case f.kind.isKey():
		return f.acl.use()
	}
	return 0
}

// seals tells whether a file has a private part, as it is kept: none where the
// card asks for no PIN.
func (c *Card) seals(f *file) bool { return c.lifeCycle == stateOperational && f.guard() != 0 }

// pair returns what the private part of a file is sealed to. It is nil if the
// condition can never be met on this card: then the private part is of no use
// to anyone, and is not kept at all.
func (c *Card) pair(f *file) *seal.Pair {
	if ref := f.guard(); ref >= 1 && ref <= pinCount && c.pins[ref].set {
		return c.pins[ref].pair
	}
	return nil
}

// isPrivate tells whether a part of a key is secret.
func (f *file) isPrivate(id byte) bool {
	switch f.kind.plain() {
	case kindRSA:
		return id != partModulus && id != partModulusHi && id != partModulusLo && id != partExponent
	case kindEC:
		return id == partScalar
	}
	return true
}

// holdsKey tells whether a key file has any part of a key.
func (f *file) holdsKey() bool {
	return !f.key.empty() || f.closed != nil && len(f.closed.parts) > 0
}

// hasPart tells whether a key file has a part, known or not.
func (f *file) hasPart(id byte) bool {
	_, there := f.key.parts[id]
	return there || f.closed != nil && f.closed.parts[id]
}

// reach tells whether bytes of a content can be written now. They cannot where
// its layers would become too many; written as a whole it needs none of them,
// and reads as erased if the power fails meanwhile.
func (f *file) reach(from, to int) apdu.Status {
	switch h := f.closed; {
	case h == nil || len(h.layers) < maxLayers:
		return apdu.OK
	case from > 0 || to < len(f.content):
		return apdu.SWNoMemory
	}
	fill(f.content)
	f.closed = nil
	return apdu.OK
}

// wrote notes that bytes of a content are known. Once all are, nothing that is
// not is left of it.
func (f *file) wrote(from, to int) {
	h := f.closed
	if h == nil {
		return
	}
	if h.written == nil {
		h.written = make([]bool, len(f.content))
	}
	for i := from; i < to; i++ {
		h.written[i] = true
	}
	if !slices.Contains(h.written, false) {
		f.closed = nil
	}
}

// sealContent returns the layers of a content.
func (c *Card) sealContent(f *file) ([][]byte, error) {
	known := f.closed == nil
	var plain []byte
	for from := 0; from < len(f.content); {
		to := from
		for to < len(f.content) && (known || f.closed.written != nil && f.closed.written[to]) {
			to++
		}
		if to > from {
			plain = binary.BigEndian.AppendUint16(plain, uint16(from))
			plain = binary.BigEndian.AppendUint16(plain, uint16(to-from))
			plain = append(plain, f.content[from:to]...)
		}
		from = to + 1
	}
	defer clear(plain)
	return c.addLayer(f, plain, known || plain != nil)
}

// sealKey returns the layers of the private parts of a key.
func (c *Card) sealKey(f *file) ([][]byte, error) {
	parts := maps.Clone(f.key.parts)
	maps.DeleteFunc(parts, func(id byte, _ []byte) bool { return !f.isPrivate(id) })
	plain, err := json.Marshal(keyParts(parts))
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return c.addLayer(f, plain, len(parts) > 0)
}

// addLayer puts what is known over the layers that are not.
func (c *Card) addLayer(f *file, plain []byte, any bool) (layers [][]byte, err error) {
	pair := c.pair(f)
	if pair == nil {
		return nil, nil
	}
	if f.closed != nil {
		layers = append(layers, f.closed.layers...)
	}
	if any {
		layer, err := pair.Seal(plain, c.layerLabel(f, len(layers)))
		if err != nil {
			return nil, err
		}
		layers = append(layers, layer)
	}
	return layers, nil
}

// unseal opens what a PIN guards, once its pair is unlocked. What is damaged
// stays closed, and the rest is not affected.
func (c *Card) unseal(ref byte) {
	c.root.walk(func(f *file) {
		if f.closed == nil || f.closed.damaged || f.guard() != ref || !c.pins[ref].pair.Unlocked() {
			return
		}
		layers := len(f.closed.layers)
		if c.open(f) != nil {
			f.closed.damaged = true
			return
		}
		f.closed = nil
		if layers <= 1 {
			return
		}
		if f.isEF() {
			c.journal.content(f)
			return
		}
		c.journal.key(f)
		if f.key.usable() && f.prop&propValid == 0 {
			f.prop |= propValid
			c.journal.header(f)
		}
	})
}

func (c *Card) open(f *file) error {
	if len(f.closed.layers) == 0 {
		return errLayers
	}
	content := make([]byte, len(f.content))
	parts := make(map[byte][]byte)
	for n, layer := range f.closed.layers {
		plain, err := c.pair(f).Open(layer, c.layerLabel(f, n))
		if err != nil {
			return err
		}
		if f.isEF() {
			err = lay(content, plain)
		} else {
			err = join(parts, plain)
		}
		clear(plain)
		if err != nil {
			return err
		}
	}
	if f.isEF() {
		for i, mine := range f.closed.written {
			if mine {
				content[i] = f.content[i]
			}
		}
		f.content = content
		return nil
	}
	return f.openKey(parts)
}

var errLayers = errors.New("a sealed record of another form")

// lay writes the runs of a layer, each with offset and length before it, over
// a content.
func lay(content, layer []byte) error {
	for len(layer) > 0 {
		if len(layer) < 4 {
			return errLayers
		}
		from, n := int(binary.BigEndian.Uint16(layer)), int(binary.BigEndian.Uint16(layer[2:]))
		layer = layer[4:]
		if n > len(layer) || from+n > len(content) {
			return errLayers
		}
		copy(content[from:], layer[:n])
		layer = layer[n:]
	}
	return nil
}

// join adds the parts of a key in a layer to those of earlier ones.
func join(parts map[byte][]byte, layer []byte) error {
	var more keyParts
	if json.Unmarshal(layer, &more) != nil {
		return errLayers
	}
	for id, part := range more {
		if _, twice := parts[id]; twice {
			return errLayers
		}
		parts[id] = part
	}
	return nil
}

// openKey adds the private parts to the others. They must make the key whose
// public half was kept.
func (f *file) openKey(parts map[byte][]byte) error {
	k := key{pub: f.key.pub, q: f.key.q}
	for id, part := range f.key.parts {
		k.set(id, part)
	}
	for id, part := range parts {
		if !f.closed.parts[id] || f.checkPart(id, part) != apdu.OK {
			return errLayers
		}
		k.set(id, part)
		clear(part)
	}
	valid := f.prop&propValid != 0
	if !k.parse(f.kind, int(f.size)) || valid && !k.usable() {
		k.clear()
		return errLayers
	}
	f.key.clear()
	f.key = k
	return nil
}
