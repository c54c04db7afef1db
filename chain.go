package cryptoki

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-cryptoki/cryptoki/ckr"
)

// Chain is a certificate and those above it, as far as they are to be had. It
// is the best one there is: its certificates are all valid if such a chain
// exists, signed with signatures that could be checked, and go up to one that is
// signed with its own key; of several such chains it is the shortest, and of
// certificates of one authority it has the latest.
type Chain struct {
	// Certificates begins with the one that was asked for; each is signed by
	// the next. None is there twice, nor is an authority, which is a name
	// with a key.
	Certificates []*x509.Certificate
	// Problems is what is wrong with them, in their order.
	Problems []ChainProblem
}

// ChainProblemKind says what sort of thing is wrong with a chain.
type ChainProblemKind string

// The kinds of problems of chains. Those of the first two are in Chain.Err.
const (
	ChainStops       ChainProblemKind = "stops"                // the certificate's issuer could not be found
	ChainUnchecked   ChainProblemKind = "unchecked signature"  // the certificate's signature is of an algorithm not known here
	ChainWeak        ChainProblemKind = "signature with SHA-1" // the certificate's signature is good, but weak
	ChainExpired     ChainProblemKind = "expired"
	ChainNotYetValid ChainProblemKind = "not yet valid"
)

// ChainProblem is something that is wrong with a certificate of a chain.
type ChainProblem struct {
	Kind        ChainProblemKind
	Certificate *x509.Certificate
	Detail      string // a sentence for people
}

// String is the problem in one line.
func (p ChainProblem) String() string { return fmt.Sprintf("%v: %s", p.Certificate.Subject, p.Detail) }

// ChainError says why a chain could not be followed to its end.
type ChainError struct{ Chain *Chain }

func (e *ChainError) Error() string {
	var list []string
	for _, p := range e.Chain.Problems {
		if p.Kind == ChainStops || p.Kind == ChainUnchecked {
			list = append(list, p.String())
		}
	}
	return strings.Join(list, "; ")
}

// Err returns ckr.ObjectHandleInvalid with a *ChainError unless the chain goes
// up to a certificate that is signed with its own key, and all its signatures
// are known to be good. That one of them is made with SHA-1 or that a
// certificate is not valid now is no error of the chain.
func (c *Chain) Err() error {
	for _, p := range c.Problems {
		if p.Kind == ChainStops || p.Kind == ChainUnchecked {
			return ckr.New(ckr.ObjectHandleInvalid, "", &ChainError{c})
		}
	}
	return nil
}

// isSound reports whether nothing is wrong that another certificate could mend:
// all but what is said of the first certificate's own validity.
func (c *Chain) isSound() bool {
	return !slices.ContainsFunc(c.Problems, func(p ChainProblem) bool {
		lifetime := p.Kind == ChainExpired || p.Kind == ChainNotYetValid
		return p.Kind != ChainWeak && !(lifetime && p.Certificate == c.Certificates[0])
	})
}

// isValid reports whether a certificate is valid at a moment.
func isValid(c *x509.Certificate, at time.Time) bool {
	return !at.Before(c.NotBefore) && !at.After(c.NotAfter)
}

// preferred orders certificates of one name and key: those that are valid come
// first, then those that became or become so later, then those that stay so
// longer. The rest only makes the order the same each time.
func preferred(at time.Time, a, b *x509.Certificate) int {
	if x, y := isValid(a, at), isValid(b, at); x != y {
		if x {
			return -1
		}
		return 1
	}
	return cmp.Or(b.NotBefore.Compare(a.NotBefore), b.NotAfter.Compare(a.NotAfter), bytes.Compare(a.Raw, b.Raw))
}

// Bounds of the search for a chain: how long it may be, and how many
// certificates are tried in all. Authorities that have certified each other many
// times make more ways than can be gone.
const (
	maxChain = 10
	maxSteps = 5000
)

// builder makes the best chain of a pool of certificates.
type builder struct {
	at        time.Time
	bySubject map[string][]*x509.Certificate
	self      map[*x509.Certificate]bool   // whether it is signed with its own key
	links     map[*x509.Certificate][]link // the issuers of a certificate
	refused   map[*x509.Certificate][]string
	steps     int
	limit     int  // how long chains may be for now
	cut       bool // one would have been longer
	best      *path
}

// link is one step of a chain.
type link struct {
	issuer *x509.Certificate
	sig    signature
	ids    keyIDs
}

// path is a chain that goes no further.
type path struct {
	leaf  *x509.Certificate
	links []link
	end   bool   // the last is signed with its own key
	why   string // it goes no further otherwise
}

func (p *path) last() *x509.Certificate {
	if len(p.links) == 0 {
		return p.leaf
	}
	return p.links[len(p.links)-1].issuer
}

// buildChain returns the best chain of a certificate, with issuers out of a
// pool.
func buildChain(leaf *x509.Certificate, pool []*x509.Certificate, at time.Time) *Chain {
	b := &builder{
		at: at, bySubject: make(map[string][]*x509.Certificate), self: make(map[*x509.Certificate]bool),
		links: make(map[*x509.Certificate][]link), refused: make(map[*x509.Certificate][]string),
	}
	for _, c := range pool {
		same := b.bySubject[string(c.RawSubject)]
		if !slices.ContainsFunc(same, c.Equal) {
			b.bySubject[string(c.RawSubject)] = append(same, c)
		}
	}
	for b.limit = 1; b.limit <= maxChain && !b.isDone(); b.limit++ {
		b.cut = false
		b.follow(&path{leaf: leaf})
		if !b.cut {
			break
		}
	}
	for b.limit = maxChain; b.best == nil; { // the steps were used up by shorter ones
		b.follow(&path{leaf: leaf})
	}
	return b.chain(b.best)
}

// isDone reports whether no longer chain can be better, or no more are tried.
func (b *builder) isDone() bool {
	return b.steps >= maxSteps || b.best != nil && b.faults(b.best) == [5]int{}
}

// follow tries all ways on from a path. Short chains are tried before long ones,
// by a limit that grows.
func (b *builder) follow(p *path) {
	b.steps++
	last := p.last()
	var on []link
	switch {
	case b.isSelfSigned(last):
		p.end = true
	case len(p.links)+1 >= b.limit && b.limit < maxChain:
		b.cut = true
		return
	case len(p.links)+1 >= maxChain:
		p.why = fmt.Sprintf("the chain has more than %d certificates", maxChain)
	default:
		on = b.issuers(last)
		if len(on) == 0 {
			p.why = b.missing(last)
		} else if on = slices.DeleteFunc(slices.Clone(on), func(l link) bool { return p.has(l.issuer) }); len(on) == 0 {
			p.why = fmt.Sprintf("its issuer %v is in the chain already: the two have certified each other", last.Issuer)
		}
	}
	if len(on) == 0 {
		if b.best == nil || b.compare(p, b.best) < 0 {
			b.best = p
		}
		return
	}
	for _, l := range on {
		if b.steps >= maxSteps && (b.best != nil || b.limit < maxChain) {
			return
		}
		b.follow(&path{leaf: p.leaf, links: append(slices.Clone(p.links), l)})
	}
}

func (b *builder) isSelfSigned(c *x509.Certificate) bool {
	self, ok := b.self[c]
	if !ok {
		self = isSelfSigned(c)
		b.self[c] = self
	}
	return self
}

// has reports whether an authority is on the path.
func (p *path) has(c *x509.Certificate) bool {
	same := func(x *x509.Certificate) bool {
		return bytes.Equal(x.RawSubject, c.RawSubject) && bytes.Equal(x.RawSubjectPublicKeyInfo, c.RawSubjectPublicKeyInfo)
	}
	return same(p.leaf) || slices.ContainsFunc(p.links, func(l link) bool { return same(l.issuer) })
}

// issuers returns what may have issued a certificate, the best first.
func (b *builder) issuers(c *x509.Certificate) []link {
	if list, ok := b.links[c]; ok {
		return list
	}
	var list []link
	for _, o := range b.bySubject[string(c.RawIssuer)] {
		l := link{o, signatureOf(c, o), keyIDsOf(c, o)}
		switch {
		case o.Equal(c):
		case l.sig == signatureBad, l.sig == signatureUnchecked && l.ids == keyIDsDiffer:
			b.refused[c] = append(b.refused[c], fmt.Sprintf("the certificate of that name with the serial number %x is of another key", o.SerialNumber))
		case !mayIssue(o):
			b.refused[c] = append(b.refused[c], fmt.Sprintf("the one with the serial number %x is no authority's", o.SerialNumber))
		default:
			list = append(list, l)
		}
	}
	slices.SortFunc(list, func(x, y link) int {
		return cmp.Or(cmp.Compare(x.sig, y.sig), cmp.Compare(x.ids, y.ids), preferred(b.at, x.issuer, y.issuer))
	})
	b.links[c] = list
	return list
}

// mayIssue reports whether a certificate is one of an authority (RFC 5280
// §4.2.1.3, §4.2.1.9). Those of version 1 do not tell.
func mayIssue(c *x509.Certificate) bool {
	if c.Version >= 3 && (!c.BasicConstraintsValid || !c.IsCA) {
		return false
	}
	return c.KeyUsage == 0 || c.KeyUsage&x509.KeyUsageCertSign != 0
}

// missing says why there is no issuer.
func (b *builder) missing(c *x509.Certificate) string {
	why := fmt.Sprintf("no certificate of its issuer %v is on the tokens", c.Issuer)
	if bytes.Equal(c.RawSubject, c.RawIssuer) {
		why = "it names itself as its issuer, but is not signed with its own key"
	}
	if refused := b.refused[c]; len(refused) > 0 {
		why += ": " + strings.Join(refused, ", ")
	}
	return why
}

// compare orders chains, the better one first.
func (b *builder) compare(x, y *path) int {
	m, n := b.faults(x), b.faults(y)
	if order := cmp.Or(slices.Compare(m[:], n[:]), cmp.Compare(len(x.links), len(y.links))); order != 0 {
		return order
	}
	for i := range x.links {
		if order := preferred(b.at, x.links[i].issuer, y.links[i].issuer); order != 0 {
			return order
		}
	}
	return 0
}

// faults counts what is worse than it might be, the worst first: issuers that
// are not valid, signatures that could not be checked, an end too soon, key
// identifiers that do not fit, and signatures with SHA-1.
func (b *builder) faults(p *path) (n [5]int) {
	for _, l := range p.links {
		if !isValid(l.issuer, b.at) {
			n[0]++
		}
		if l.sig == signatureUnchecked {
			n[1]++
		}
		if l.ids == keyIDsDiffer {
			n[3]++
		}
		if l.sig == signatureWeak {
			n[4]++
		}
	}
	if !p.end {
		n[2] = 1
	}
	return n
}

// chain tells what is wrong with a path. What a certificate signs of itself
// proves nothing, and is not spoken of.
func (b *builder) chain(p *path) *Chain {
	c := &Chain{Certificates: []*x509.Certificate{p.leaf}}
	for _, l := range p.links {
		c.Certificates = append(c.Certificates, l.issuer)
	}
	for i, cert := range c.Certificates {
		say := func(k ChainProblemKind, format string, args ...any) {
			c.Problems = append(c.Problems, ChainProblem{k, cert, fmt.Sprintf(format, args...)})
		}
		switch {
		case b.at.After(cert.NotAfter):
			say(ChainExpired, "it was valid until %s", cert.NotAfter.UTC().Format(time.RFC3339))
		case b.at.Before(cert.NotBefore):
			say(ChainNotYetValid, "it is valid from %s on", cert.NotBefore.UTC().Format(time.RFC3339))
		}
		if i == len(p.links) {
			if !p.end {
				say(ChainStops, "%s", p.why)
			}
			continue
		}
		switch p.links[i].sig {
		case signatureWeak:
			say(ChainWeak, "it is signed with SHA-1")
		case signatureUnchecked:
			say(ChainUnchecked, "its signature by %v is of an algorithm that is not checked, %v; name and key identifiers fit", cert.Issuer, cert.SignatureAlgorithm)
		}
	}
	return c
}
