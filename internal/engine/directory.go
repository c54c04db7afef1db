package engine

import (
	"context"
	"slices"

	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// directory is what a Card knows of the objects on the card.
type directory struct {
	loaded  bool
	stale   bool // somebody else may have written
	asUser  bool // listed while the user was logged in
	records map[driver.Ref]*record
	order   []driver.Ref
}

// unconfirmed reports whether nobody has looked yet whether the object is there.
func (r *record) unconfirmed() bool { return r.Place != nil }

// record is a Record with what was read of the object since.
type record struct {
	driver.Record
	identity
	read     object.Template // further attributes of a public object
	complete bool            // read holds all that can be read
	key      *soft.Material  // of a public key
}

// all returns everything known of the object.
func (r *record) all() object.Template {
	if len(r.read) == 0 {
		return r.Known
	}
	return r.Known.With(r.read...)
}

// refresh makes the directory current, in at most one exchange if nobody else
// wrote. It runs inside a transaction. For a user it lists again what was hidden.
func (c *Card) refresh(ctx context.Context, user bool) error {
	c.mu.Lock()
	d := &c.dir
	hidden := user && !d.asUser && hides(c.backend)
	// What was read stays valid if only more is to be listed.
	keep := d.loaded && !d.stale && !outdated(c.backend)
	known := d.loaded && !hidden && !outdated(c.backend)
	current := known && !d.stale
	c.mu.Unlock()
	if current {
		return nil
	}
	if counter, ok := c.backend.(driver.ChangeCounter); ok && known {
		changed, err := counter.Changed(ctx)
		if err != nil {
			return err
		}
		if !changed {
			c.mu.Lock()
			c.dir.stale = false
			c.mu.Unlock()
			return nil
		}
	}
	if user {
		if err := c.restoreLogin(ctx, token.User); err != nil {
			return err
		}
	}
	records, err := c.backend.Objects(ctx, user)
	if err != nil {
		return err
	}
	// Who wrote objects may have changed what the token says of itself, too.
	if _, err := c.readInfo(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.replace(records, user, keep)
	return nil
}

func outdated(b driver.Backend) bool {
	s, ok := b.(driver.Sibling)
	return ok && s.Outdated()
}

func hides(b driver.Backend) bool {
	h, ok := b.(driver.Hider)
	return ok && h.HidesObjects()
}

// replace takes over a new listing. What was read of objects is kept if keep
// says that nobody else wrote; otherwise only what they were known by, to be
// compared. Handles of objects that are gone become void. The caller holds c.mu.
func (c *Card) replace(records []driver.Record, asUser, keep bool) {
	old := c.dir.records
	c.dir = directory{loaded: true, asUser: asUser, records: make(map[driver.Ref]*record, len(records))}
	for _, r := range records {
		if _, twice := c.dir.records[r.Ref]; twice {
			continue
		}
		n := newRecord(r)
		if o := old[r.Ref]; o != nil {
			n.expects(o, keep)
			if keep && !n.unconfirmed() && !o.unconfirmed() && sameTemplate(o.Known, n.Known) {
				n.read, n.complete, n.key = o.read, o.complete, o.key
			}
		}
		c.dir.records[r.Ref] = n
		c.dir.order = append(c.dir.order, r.Ref)
	}
	for t := range c.tokens {
		t.prune(c.dir.records)
	}
}

func sameTemplate(a, b object.Template) bool {
	return len(a) == len(b) && a.Matches(b)
}

// put adds a record that we made or changed ourselves. The caller does not
// hold c.mu.
func (c *Card) put(r driver.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dir.loaded {
		return
	}
	old, known := c.dir.records[r.Ref]
	if !known {
		c.dir.order = append(c.dir.order, r.Ref)
	}
	n := newRecord(r)
	if known {
		n.expects(old, true)
	}
	c.tell(n)
	c.dir.records[r.Ref] = n
}

// supersede takes over the record of an object that has taken the place of the
// one that was listed as ref, whose handles become void in all applications.
// The caller does not hold c.mu.
func (c *Card) supersede(ref driver.Ref, r driver.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.dir.records, ref)
	c.dir.order = slices.DeleteFunc(c.dir.order, func(listed driver.Ref) bool { return listed == r.Ref })
	if i := slices.Index(c.dir.order, ref); i >= 0 {
		c.dir.order[i] = r.Ref
	} else {
		c.dir.order = append(c.dir.order, r.Ref)
	}
	c.dir.records[r.Ref] = newRecord(r)
	for t := range c.tokens {
		t.prune(c.dir.records)
	}
}

// remove drops a record whose object the card confirmed to be gone; its
// handles become void in all applications.
func (c *Card) remove(ref driver.Ref) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.dir.records, ref)
	for i, r := range c.dir.order {
		if r == ref {
			c.dir.order = append(c.dir.order[:i:i], c.dir.order[i+1:]...)
			break
		}
	}
	for t := range c.tokens {
		t.prune(c.dir.records)
	}
}

// reload forgets the listing, because a write ended in doubt: the card is
// asked again before the next answer.
func (c *Card) reload() {
	c.mu.Lock()
	c.dir.loaded = false
	c.mu.Unlock()
}

// record returns what is known of ref, or nil.
func (c *Card) record(ref driver.Ref) *record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dir.records[ref]
}
