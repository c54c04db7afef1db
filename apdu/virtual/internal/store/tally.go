package store

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"
)

// tally is kept with the records, so that lost ones are missed and old ones
// do not pass for the present ones: how many there are, and the sum (exclusive
// or) of their SHA-256. Files of version 1 have the count alone.
type tally struct {
	version byte
	count   uint32
	sum     [sha256.Size]byte
}

func (t *tally) add(key string, sealed []byte) {
	t.count++
	t.mix(key, sealed)
}

func (t *tally) remove(key string, sealed []byte) {
	t.count--
	t.mix(key, sealed)
}

// mix adds a record to the sum, or takes it out.
func (t *tally) mix(key string, sealed []byte) {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(key))))
	h.Write([]byte(key))
	h.Write(sealed)
	subtle.XORBytes(t.sum[:], t.sum[:], h.Sum(nil))
}

func (t *tally) write(tx *bbolt.Tx) error {
	value := append(binary.BigEndian.AppendUint32(nil, t.count), t.sum[:]...)
	return tx.Bucket([]byte(markFolder)).Put([]byte(countKey), seal(countKey, value))
}

// readTally reads the mark, and the tally after it.
func readTally(tx *bbolt.Tx) (t tally, err error) {
	b := tx.Bucket([]byte(markFolder))
	if t.version, err = readMark(b); err != nil {
		return t, err
	}
	value, ok := unseal(countKey, b.Get([]byte(countKey)))
	switch {
	case ok && t.version == 1 && len(value) == 4:
	case ok && t.version > 1 && len(value) == 4+sha256.Size:
		copy(t.sum[:], value[4:])
	default:
		return t, fmt.Errorf("%w: the number of records cannot be read", ErrDamaged)
	}
	t.count = binary.BigEndian.Uint32(value)
	return t, nil
}

// check compares what should be there with what is.
func (t *tally) check(got tally) error {
	switch {
	case got.count != t.count:
		return fmt.Errorf("%w: it has %d of %d records", ErrDamaged, got.count, t.count)
	case t.version > 1 && got.sum != t.sum:
		return fmt.Errorf("%w: records are not of one time", ErrDamaged)
	}
	return nil
}
