package myeid

import "slices"

// kind is a file descriptor byte (ISO 7816-4 §7.4.5), with key files as MyEID
// numbers them.
type kind byte

const (
	kindEF    kind = 0x01
	kindRSA   kind = 0x11
	kindDES   kind = 0x19
	kindEC    kind = 0x22
	kindAES   kind = 0x29
	kindDF    kind = 0x38
	shareable kind = 0x40
)

// plain takes off the shareable bit, which has no effect. A generic secret,
// type 41, is a transparent file by this.
func (k kind) plain() kind { return k &^ shareable }

func (k kind) known() bool {
	switch k.plain() {
	case kindEF, kindRSA, kindDES, kindEC, kindAES, kindDF:
		return true
	}
	return false
}

func (k kind) isKey() bool { return k.known() && k.plain() != kindEF && k.plain() != kindDF }

func (k kind) isSecret() bool { return k.plain() == kindAES || k.plain() == kindDES }

// The property bytes of a file, tag 85.
const (
	propConsent     = 0xF000 // the PIN that each use drops
	propWrapTrusted = 0x0800 // wrapped by trusted keys only
	propTrusted     = 0x0400
	propGenerated   = 0x0200
	propValid       = 0x0100 // the key file holds a key
	propExtractable = 0x0008
	propPermanent   = 0x0002 // a DF that cannot be deleted
	propSession     = 0x0001 // gone with the power
)

// Identifiers with a meaning of their own.
const (
	fidMF      = 0x3F00
	fidApp     = 0x5015
	fidCurrent = 0x3FFF
	fidNone    = 0xFFFF
)

// appName is the DF name of the PKCS #15 application.
const appName = "\xA0\x00\x00\x00\x63PKCS-15"

// acl holds six nibbles: 0 always, 1 to E that PIN, F never.
type acl [3]byte

var (
	mfACL  = acl{0x11, 0x3F, 0xFF}
	appACL = acl{0x11, 0x1F, 0xFF}
)

// file is a directory, a transparent file or a key file.
type file struct {
	uid      uint32 // never used again, unlike the identifier
	id       uint16
	kind     kind
	sizeTag  byte   // 80 or 81, as it was created
	size     uint16 // bytes; bits of a key
	acl      acl
	prop     uint16
	name     []byte // DF name
	content  []byte // of a transparent file
	key      key
	closed   *closed // nil: all of it is known
	parent   *file
	children []*file // in order of creation
	dead     bool    // deleted: whoever still refers to it must not use it
}

func (f *file) isDF() bool { return f.kind.plain() == kindDF }

func (f *file) isEF() bool { return f.kind.plain() == kindEF }

func (f *file) session() bool { return f.prop&propSession != 0 && !f.isDF() }

// directory returns the file itself if it is a DF, else the DF that it is in.
func (f *file) directory() *file {
	if f.isDF() {
		return f
	}
	return f.parent
}

// child finds a file by identifier among those in a DF.
func (f *file) child(id uint16) *file {
	for _, g := range f.children {
		if g.id == id {
			return g
		}
	}
	return nil
}

// childEF finds a file other than a DF.
func (f *file) childEF(id uint16) *file {
	if g := f.child(id); g != nil && !g.isDF() {
		return g
	}
	return nil
}

// walk calls visit for a file and all below it, those below first.
func (f *file) walk(visit func(*file)) {
	for _, g := range slices.Clone(f.children) {
		g.walk(visit)
	}
	visit(f)
}

const fileOverhead = 32

// cost is what a file takes of the card's capacity, in bytes. Key files are
// charged in full when they are created, so that a key never fails to fit.
func (f *file) cost() int {
	n := fileOverhead + len(f.name)
	bits := int(f.size)
	switch f.kind.plain() {
	case kindEF:
		n += int(f.size)
	case kindRSA:
		n += 5*bits/16 + bits/8 + 4
	case kindEC:
		n += 3*((bits+7)/8) + 1
	case kindAES, kindDES:
		n += bits / 8
	}
	return n
}

// attach puts a new file into a DF.
func (c *Card) attach(df, f *file) {
	f.parent = df
	df.children = append(df.children, f)
	c.used += f.cost()
	c.journal.header(f)
	if f.isEF() {
		c.journal.content(f)
	}
}

// detach removes a file and all below it, one after the other.
func (c *Card) detach(f *file) {
	f.walk(func(g *file) {
		c.remove(g)
		if !g.session() {
			c.line.Wrote()
		}
	})
}

// remove takes a file without children out of the tree and clears what it held.
func (c *Card) remove(f *file) {
	f.dead = true
	clear(f.content)
	f.key.clear()
	f.closed = nil
	c.used -= f.cost()
	c.journal.drop(f)
	if df := f.parent; df != nil {
		df.children = slices.DeleteFunc(df.children, func(g *file) bool { return g == f })
	}
}

// dropSessionFiles removes the session objects below a file.
func (c *Card) dropSessionFiles(df *file) {
	for _, f := range slices.Clone(df.children) {
		switch {
		case f.isDF():
			c.dropSessionFiles(f)
		case f.session():
			c.detach(f)
		}
	}
}

// format makes the file system of a blank card, with the access conditions of
// the master file and of the application. PINs are wiped, too. The new master
// file takes the place of the old one, with all that was in it, in one write
// with the life cycle state; the PINs go afterwards. So neither is a file shown
// to everybody when the power fails, nor is the card locked for good.
func (c *Card) format(mf, app acl) {
	if c.root != nil {
		c.root.walk(c.remove)
	}
	c.root = &file{uid: c.uid(), id: fidMF, kind: kindDF, sizeTag: 0x81, size: 0x7FFF, acl: mf, prop: propPermanent}
	c.used = c.root.cost()
	c.journal.header(c.root)
	c.attach(c.root, &file{uid: c.uid(), id: fidApp, kind: kindDF, sizeTag: 0x81, size: 0x7FFF,
		acl: app, prop: propPermanent, name: []byte(appName)})
	c.lifeCycle = stateCreation
	c.current = c.root
	c.verified = 0
	c.env.drop()
	c.journal.head = true
	c.line.Wrote()
	for ref := range c.pins {
		was := c.pins[ref].set
		c.pins[ref].clear()
		c.journal.pin(ref)
		if was {
			c.line.Wrote()
		}
	}
}

func (c *Card) uid() uint32 {
	n := c.nextUID
	c.nextUID++
	c.journal.head = true
	return n
}
