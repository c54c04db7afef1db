package p11kit

import (
	"io"
	"sync"
)

// largeDesk is the size from which a buffer is not kept for the next call.
const largeDesk = 1 << 12

// A callContext is what one call is carried out with: the message, its reader and
// the answer with its writer. Handlers keep nothing of either, as both are
// cleared and used again after the call.
type callContext struct {
	code uint32 // the client's mark for the call, which the answer bears too
	body []byte
	r    reader
	w    writer
}

var callContexts = sync.Pool{New: func() any { return new(callContext) }}

func newCallContext() *callContext { return callContexts.Get().(*callContext) }

// free clears the callContext and leaves it for another call.
func (d *callContext) free() {
	body, answer := d.body, d.w.b
	clear(body[:cap(body)])
	clear(answer[:cap(answer)])
	*d = callContext{}
	if cap(body) <= largeDesk {
		d.body = body[:0]
	}
	if cap(answer) <= largeDesk {
		d.w.b = answer[:0]
	}
	callContexts.Put(d)
}

// read reads a body of n bytes, and takes memory only as they come.
func (d *callContext) read(r io.Reader, n int) error {
	const step = 1 << 16
	b := d.body[:0]
	for len(b) < n {
		from := len(b)
		k := min(step, n-from)
		if cap(b)-from < k {
			b = append(b, make([]byte, k)...)
		}
		b = b[:from+k]
		d.body = b
		if _, err := io.ReadFull(r, b[from:]); err != nil {
			return err
		}
	}
	return nil
}

// begin begins an answer, anew if there was one: it leaves room for a header.
func (d *callContext) begin() {
	clear(d.w.b)
	if cap(d.w.b) == 0 {
		d.w.b = make([]byte, 0, 256)
	}
	d.w.b = d.w.b[:sizeofHeader]
}
