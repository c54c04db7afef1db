package store

import (
	"hash/fnv"
	"os"
)

// What tests need to forge files.
var (
	Seal = seal
	Walk = walk
)

// FixMeta makes the checksums of both meta pages right.
func FixMeta(raw []byte) {
	for _, at := range []int{0, os.Getpagesize()} {
		meta := raw[at+pageHeader:][:metaSize]
		sum := fnv.New64a()
		sum.Write(meta[:56])
		order.PutUint64(meta[56:], sum.Sum64())
	}
}
