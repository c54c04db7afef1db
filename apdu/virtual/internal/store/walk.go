package store

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
)

// maxFile is more than a card's file can grow to.
const maxFile = 256 << 20

// The layout of a bbolt file, as far as it must be known to follow it.
// Numbers are in the byte order of the machine.
const (
	pageHeader  = 16
	elementSize = 16
	metaSize    = 64
	magic       = 0xED0CDAED
	noFreelist  = ^uint64(0)

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagFreelist = 0x10
	bucketEntry  = 0x01
	maxDepth     = 32

	minPage = 512
	maxPage = 1 << 16
)

var order = binary.NativeEndian

// walker follows every reference in a bbolt file once. bbolt trusts what it
// maps: a page number out of range would be a fault that no program survives,
// a ring of pages an endless loop.
type walker struct {
	raw  []byte
	size uint64 // of a page
	high uint64 // pages in use are below
	seen map[uint64]bool
	left int // elements that a file of this size can have and were not met
}

// spend counts the elements of a page. Inside a page they may overlap, and
// without a limit a small file could take for ever.
func (w *walker) spend(count int, body []byte) error {
	w.left -= count
	if w.left < 0 || pageHeader+count*elementSize > len(body) {
		return damaged("a page has %d elements", count)
	}
	return nil
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// walk checks the structure of a whole file.
func walk(raw []byte) error {
	meta := newestMeta(raw)
	if meta == nil {
		return damaged("no valid meta page")
	}
	w := &walker{
		raw:  raw,
		size: uint64(order.Uint32(meta[8:])),
		high: order.Uint64(meta[40:]),
		seen: map[uint64]bool{0: true, 1: true},
		left: len(raw) / elementSize,
	}
	if w.high > uint64(len(raw))/w.size {
		return damaged("it ends after %d of %d pages", uint64(len(raw))/w.size, w.high)
	}
	if err := w.tree(order.Uint64(meta[16:]), 0); err != nil {
		return err
	}
	return w.freelist(order.Uint64(meta[32:]))
}

// newestMeta returns the meta data that bbolt will go by: of the two at the
// beginning of the first two pages the valid one of the later transaction.
func newestMeta(raw []byte) (newest []byte) {
	consider := func(at int) {
		if at+pageHeader+metaSize > len(raw) {
			return
		}
		meta := raw[at+pageHeader:][:metaSize]
		if !validMeta(meta) || at != 0 && at != int(order.Uint32(meta[8:])) {
			return
		}
		if newest == nil || order.Uint64(meta[48:]) > order.Uint64(newest[48:]) {
			newest = meta
		}
	}
	consider(0)
	for size := minPage; size <= maxPage; size <<= 1 {
		consider(size)
	}
	return newest
}

func validMeta(meta []byte) bool {
	sum := fnv.New64a()
	sum.Write(meta[:56])
	size := order.Uint32(meta[8:])
	return order.Uint32(meta) == magic && order.Uint64(meta[56:]) == sum.Sum64() &&
		size >= minPage && size <= maxPage && size&(size-1) == 0
}

// page returns a page with its overflow, after checking that it is there and
// has not been met before.
func (w *walker) page(id uint64) (body []byte, flags uint16, count int, err error) {
	if id >= w.high {
		return nil, 0, 0, damaged("page %d is out of range", id)
	}
	head := w.raw[id*w.size:]
	pages := uint64(order.Uint32(head[12:])) + 1
	if order.Uint64(head) != id || id+pages > w.high {
		return nil, 0, 0, damaged("page %d has a wrong header", id)
	}
	for i := range pages {
		if w.seen[id+i] {
			return nil, 0, 0, damaged("page %d is used twice", id+i)
		}
		w.seen[id+i] = true
	}
	return head[:pages*w.size], order.Uint16(head[8:]), int(order.Uint16(head[10:])), nil
}

// tree follows a B+tree from its root.
func (w *walker) tree(id uint64, depth int) error {
	if depth > maxDepth {
		return damaged("the tree is too deep")
	}
	body, flags, count, err := w.page(id)
	if err != nil {
		return err
	}
	switch flags {
	case flagLeaf:
		return w.leaf(body, count, depth)
	case flagBranch:
		return w.branch(body, count, depth)
	}
	return damaged("page %d is of kind %02x", id, flags)
}

func (w *walker) branch(body []byte, count, depth int) error {
	if err := w.spend(count, body); err != nil {
		return err
	}
	for i := range count {
		at := pageHeader + i*elementSize
		pos, ksize := uint64(order.Uint32(body[at:])), uint64(order.Uint32(body[at+4:]))
		if uint64(at)+pos+ksize > uint64(len(body)) {
			return damaged("a key lies outside its page")
		}
		if err := w.tree(order.Uint64(body[at+8:]), depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) leaf(body []byte, count, depth int) error {
	if err := w.spend(count, body); err != nil {
		return err
	}
	for i := range count {
		at := pageHeader + i*elementSize
		pos, ksize, vsize := uint64(order.Uint32(body[at+4:])), uint64(order.Uint32(body[at+8:])), uint64(order.Uint32(body[at+12:]))
		start := uint64(at) + pos + ksize
		if start+vsize > uint64(len(body)) {
			return damaged("a record lies outside its page")
		}
		if order.Uint32(body[at:])&bucketEntry == 0 {
			continue
		}
		if err := w.bucket(body[start:start+vsize], depth+1); err != nil {
			return err
		}
	}
	return nil
}

// bucket follows a nested tree, which may be kept inside its record.
func (w *walker) bucket(value []byte, depth int) error {
	if depth > maxDepth || len(value) < 16 {
		return damaged("a folder cannot be read")
	}
	if root := order.Uint64(value); root != 0 {
		return w.tree(root, depth)
	}
	inline := value[16:]
	if len(inline) < pageHeader || order.Uint16(inline[8:]) != flagLeaf {
		return damaged("a folder cannot be read")
	}
	return w.leaf(inline, int(order.Uint16(inline[10:])), depth)
}

// freelist checks that no page is both free and in use.
func (w *walker) freelist(id uint64) error {
	if id == noFreelist {
		return nil
	}
	body, flags, count, err := w.page(id)
	if err != nil {
		return err
	}
	ids := body[pageHeader:]
	n := uint64(count)
	if n == 0xFFFF {
		n, ids = order.Uint64(ids), ids[8:]
	}
	if flags != flagFreelist || n > uint64(len(ids))/8 {
		return damaged("the list of free pages cannot be read")
	}
	for i := range n {
		free := order.Uint64(ids[8*i:])
		if free >= w.high || w.seen[free] {
			return damaged("page %d cannot be free", free)
		}
		w.seen[free] = true
	}
	return nil
}
