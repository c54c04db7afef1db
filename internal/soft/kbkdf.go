package soft

import (
	"crypto"
	"hash"
	"slices"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

func kbkdfRows() (rows []row) {
	kdf := deriving((*Material).kbkdf)
	for _, mode := range []mechanism.KBKDFMode{mechanism.CounterMode, mechanism.FeedbackMode, mechanism.DoublePipelineMode} {
		rows = append(rows, kdf.row(mechanism.KBKDF{
			Mode: mode, PRF: mechanism.HMAC{Hash: crypto.SHA256},
			Fields: []mechanism.Field{{Kind: mechanism.IterationField, Width: 32}},
		}))
	}
	return rows
}

// kbkdf derives a key as SP 800-108 does. Each round hashes the fields in
// their order.
func (m *Material) kbkdf(mech mechanism.KBKDF, d derivation) ([]byte, error) {
	mac, err := d.newMAC(m, mech.PRF)
	if err != nil {
		return nil, err
	}
	size, length := mac.Size(), d.length
	if length == 0 {
		length = size
	}
	rounds := (length + size - 1) / size
	r := kdfRun{mac: mac, mech: mech, keys: d.others, bits: 8 * uint64(length), segments: 8 * uint64(rounds*size)}
	out := make([]byte, 0, rounds*size)
	last := slices.Clone(mech.IV)
	if mech.Mode == mechanism.DoublePipelineMode {
		last = r.fixed()
	}
	defer func() { clear(last) }()
	for i := uint64(1); len(out) < length; i++ {
		if mech.Mode == mechanism.DoublePipelineMode {
			last = r.once(last)
		}
		block, err := r.round(i, last)
		if err != nil {
			clear(out)
			return nil, err
		}
		out = append(out, block...)
		if mech.Mode == mechanism.FeedbackMode {
			last = block
		}
	}
	return leading(out, length)
}

// kdfRun is one derivation.
type kdfRun struct {
	mac            hash.Hash
	mech           mechanism.KBKDF
	keys           [][]byte
	bits, segments uint64
}

// once is the function of some bytes.
func (r *kdfRun) once(data []byte) []byte {
	r.mac.Reset()
	r.mac.Write(data)
	return r.mac.Sum(nil)
}

// fixed is what all rounds of the double pipeline have in common: the fields
// without iteration and counter.
func (r *kdfRun) fixed() []byte {
	var out []byte
	keys := r.keys
	for _, f := range r.mech.Fields {
		switch f.Kind {
		case mechanism.BytesField:
			out = append(out, f.Bytes...)
		case mechanism.LengthField:
			out, _ = r.number(out, f, r.lengthOf(f))
		case mechanism.KeyField:
			out, keys = append(out, keys[0]...), keys[1:]
		}
	}
	return out
}

func (r *kdfRun) lengthOf(f mechanism.Field) uint64 {
	if f.Segments {
		return r.segments
	}
	return r.bits
}

// round is the i-th call of the function, from 1.
func (r *kdfRun) round(i uint64, last []byte) ([]byte, error) {
	var in []byte
	defer func() { clear(in) }()
	keys := r.keys
	for _, f := range r.mech.Fields {
		var err error
		switch {
		case f.Kind == mechanism.BytesField:
			in = append(in, f.Bytes...)
		case f.Kind == mechanism.LengthField:
			in, err = r.number(in, f, r.lengthOf(f))
		case f.Kind == mechanism.KeyField:
			in, keys = append(in, keys[0]...), keys[1:]
		case f.Kind == mechanism.IterationField && r.mech.Mode != mechanism.CounterMode:
			in = append(in, last...)
		default:
			in, err = r.number(in, f, i)
		}
		if err != nil {
			return nil, err
		}
	}
	return r.once(in), nil
}

// number appends a number at the width of its field.
func (r *kdfRun) number(out []byte, f mechanism.Field, n uint64) ([]byte, error) {
	if f.Width < 64 && n>>f.Width != 0 {
		return out, ckr.Newf(ckr.KeySizeRange, "derive", "%d does not fit %d bits", n, f.Width)
	}
	start := len(out)
	for shift := f.Width - 8; shift >= 0; shift -= 8 {
		out = append(out, byte(n>>shift))
	}
	if f.LittleEndian {
		slices.Reverse(out[start:])
	}
	return out, nil
}
