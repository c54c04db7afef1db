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
	t := tally{version: version}
	return errors.Join(b.Put([]byte(markKey), seal(markKey, []byte{version})), t.write(tx))
}

// readMark returns the version of the format.
func readMark(b *bbolt.Bucket) (byte, error) {
	if b == nil {
		return 0, fmt.Errorf("%w: the mark is missing", ErrForeign)
	}
	mark, ok := unseal(markKey, b.Get([]byte(markKey)))
	switch {
	case !ok || len(mark) != 1 || mark[0] == 0:
		return 0, fmt.Errorf("%w: the mark cannot be read", ErrDamaged)
	case mark[0] > version:
		return 0, fmt.Errorf("%w: %d, known is %d", ErrNewer, mark[0], version)
	}
	return mark[0], nil
}
