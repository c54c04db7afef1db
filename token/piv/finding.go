package piv

import "fmt"

// FindingKind says what sort of thing is wrong.
type FindingKind string

// The kinds of findings.
const (
	Missing     FindingKind = "missing"       // the card should have it
	Damaged     FindingKind = "damaged"       // it is not of its form
	Unsigned    FindingKind = "unsigned"      // it should be signed, and is not
	Tampered    FindingKind = "tampered"      // it is not what was signed
	Unverified  FindingKind = "unverified"    // a signature cannot be checked
	Expired     FindingKind = "expired"       // its time is over
	NotYetValid FindingKind = "not yet valid" // its time has not come
	Mismatch    FindingKind = "mismatch"      // it does not belong to what is beside it
	Weak        FindingKind = "weak"          // its algorithm or key is not good any more
)

// Finding is something that is wrong with what a card holds.
type Finding struct {
	Kind FindingKind
	// Object is what it is about: the CKA_LABEL that the object has in the
	// token.
	Object string
	// Tag is that of the data object, as in SP 800-73-5 part 1 table 3; 0 for
	// keys.
	Tag uint32
	// Detail is a sentence for people.
	Detail string
}

// String is the finding in one line.
func (f Finding) String() string { return fmt.Sprintf("%s: %s: %s", f.Object, f.Kind, f.Detail) }

// subject is what findings are about.
type subject struct {
	label string
	tag   uint32
}

func certificateOf(p *place) subject { return subject{"Certificate for " + p.name, p.tag} }
func privateKeyOf(p *place) subject  { return subject{"Private key for " + p.name, 0} }

// dataObject is the one with a tag.
func dataObject(tag uint32) subject {
	for i := range containers {
		if containers[i].tag == tag {
			return subject{containers[i].name, tag}
		}
	}
	return subject{fmt.Sprintf("Object %X", tag), tag}
}
