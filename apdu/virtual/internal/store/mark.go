package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"go.etcd.io/bbolt"
)

var table = crc32.MakeTable(crc32.Castagnoli)

// seal appends a checksum over key and value, CRC-32C, to a value.
func seal(key string, value []byte) []byte {
	return binary.BigEndian.AppendUint32(bytes.Clone(value), checksum(key, value))
}

// unseal takes the checksum off a copy of the value.
func unseal(key string, sealed []byte) ([]byte, bool) {
	n := len(sealed) - crc32.Size
	if n < 0 || binary.BigEndian.Uint32(sealed[n:]) != checksum(key, sealed[:n]) {
		return nil, false
	}
	return append([]byte{}, sealed[:n]...), true
}

func checksum(key string, value []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte(key), table), table, value)
}

// setMark says what the file is.
func setMark(tx *bbolt.Tx) error {
	b, err := tx.CreateBucket([]byte(markFolder))
	if err != nil {
		return err
	}
	return errors.Join(
		b.Put([]byte(markKey), seal(markKey, []byte{version})),
		b.Put([]byte(countKey), seal(countKey, make([]byte, 4))),
	)
}

func checkMark(tx *bbolt.Tx) error {
	b := tx.Bucket([]byte(markFolder))
	if b == nil {
		return fmt.Errorf("%w: the mark is missing", ErrForeign)
	}
	mark, ok := unseal(markKey, b.Get([]byte(markKey)))
	switch {
	case !ok || len(mark) != 1:
		return fmt.Errorf("%w: the mark cannot be read", ErrDamaged)
	case mark[0] > version:
		return fmt.Errorf("%w: %d, known is %d", ErrNewer, mark[0], version)
	}
	return nil
}

// count keeps the number of records, so that lost ones are missed.
func count(tx *bbolt.Tx, more int) error {
	b := tx.Bucket([]byte(markFolder))
	if b == nil {
		return fmt.Errorf("%w: the mark is missing", ErrDamaged)
	}
	n := storedCount(b) + more
	return b.Put([]byte(countKey), seal(countKey, binary.BigEndian.AppendUint32(nil, uint32(n))))
}

// storedCount is -1 if there is none that can be read.
func storedCount(b *bbolt.Bucket) int {
	value, ok := unseal(countKey, b.Get([]byte(countKey)))
	if !ok || len(value) != 4 {
		return -1
	}
	return int(binary.BigEndian.Uint32(value))
}

func checkCount(tx *bbolt.Tx, n int) error {
	if want := storedCount(tx.Bucket([]byte(markFolder))); want != n {
		return fmt.Errorf("%w: it has %d of %d records", ErrDamaged, n, want)
	}
	return nil
}
