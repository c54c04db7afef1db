package store

import (
	"bytes"

	"go.etcd.io/bbolt"
)

// Wipe overwrites what is no longer in use: bbolt writes changed pages to
// other places and leaves the old ones as they are, with the secrets that were
// in them. A Commit wipes behind itself; Wipe does so for a process that was
// killed before it could, and is called once it is clear that the file is a
// card's.
//
// Wiping also keeps a damaged page of meta data from leading back to an
// earlier state of the card, with tries at a PIN that were spent since: bbolt
// would take the other one, and what that leads to is gone.
func (f *File) Wipe() error {
	if f.readOnly {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.wiped)
	return f.wipe(true)
}

// wipe overwrites the pages that are free and were not wiped. With all it does
// so to the end of the file; what bbolt adds there is zero otherwise. The
// caller holds f.mu, and what was committed is durable, so that neither page
// of meta data that could be gone by leads to a page that is wiped.
func (f *File) wipe(all bool) error {
	size := f.db.Info().PageSize
	w := wiper{f: f, zero: make([]byte, size), page: make([]byte, size), look: all}
	var end uint64
	err := f.db.View(func(tx *bbolt.Tx) error {
		for end = 2; ; end++ {
			info, err := tx.Page(int(end))
			if info == nil || err != nil {
				return err
			}
			if info.Type != "free" {
				delete(f.wiped, end)
				continue
			}
			if err := w.wipe(end); err != nil {
				return err
			}
		}
	})
	if err != nil || !all {
		return err
	}
	stat, err := f.raw.Stat()
	if err != nil {
		return err
	}
	for ; end < uint64(stat.Size())/uint64(size); end++ {
		if err := w.wipe(end); err != nil {
			return err
		}
		delete(f.wiped, end)
	}
	return nil
}

type wiper struct {
	f          *File
	zero, page []byte
	look       bool // it may be zero already
}

func (w *wiper) wipe(id uint64) error {
	if w.f.wiped[id] {
		return nil
	}
	at := int64(id) * int64(len(w.zero))
	if w.look {
		if _, err := w.f.raw.ReadAt(w.page, at); err != nil {
			return err
		}
		if bytes.Equal(w.page, w.zero) {
			w.f.wiped[id] = true
			return nil
		}
	}
	w.f.loose = true
	if _, err := w.f.raw.WriteAt(w.zero, at); err != nil {
		return err
	}
	w.f.wiped[id] = true
	return nil
}
