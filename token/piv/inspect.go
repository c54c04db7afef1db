package piv

import (
	"context"
	"crypto/x509"
	"errors"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// Inspection is how a card is looked at.
type Inspection struct {
	// At is the moment for which validity is judged; the zero value is now.
	At time.Time
	// Issuers are certificates of authorities that certificates on the card
	// may come from. Without them it is not judged who signed a certificate,
	// unless it is signed with its own key.
	Issuers []*x509.Certificate
	// PIN opens what is read with it, printed information and biometrics, and
	// has every key of the card tried against its certificate. It is verified
	// as often as the keys need it, and not again once it was refused. The zero
	// value leaves both out. The caller clears it.
	PIN token.PIN
}

// Inspect reads what the card holds and tells what is wrong with it: objects
// that are missing or damaged, that are not what their issuer signed (CMS, FIPS
// 201-3 §4.2; the security object's hashes, SP 800-73-5 part 1 §3.1.7), that
// are not valid at the time, or do not belong together: FASC-N and card UUID,
// private keys and certificates, key history, discovery object. A card with
// nothing to find has none.
//
// Whether the card's issuer is to be trusted, and whether certificates were
// revoked, is not seen from the card. What FIPS 201 has all cards hold is
// missed on cards of an issuer only: not on a YubiKey whose CHUID is unsigned
// and which has no security object, for those are their holders' own.
//
// The card is reached once for every object, each time in a transaction of its
// own, and no PIN is needed for what is free to read; all that needs the PIN is
// done in one. After an inspection with a PIN the card has forgotten that it
// was verified. Errors: those of the link,
// ckr.PINIncorrect, ckr.PINLocked, ckr.PINLenRange.
func (p *Application) Inspect(ctx context.Context, in Inspection) ([]Finding, error) {
	const op = "inspect PIV"
	h := &holdings{issued: !p.a.yubico, content: make(map[uint32][]byte), certs: make(map[*place]certificate), keys: make(map[*place]keyCheck)}
	if err := p.a.gather(ctx, h); err != nil {
		return nil, codes.Wrap(op, err)
	}
	if err := p.a.tryKeys(ctx, h, in.PIN); err != nil {
		return nil, codes.Wrap(op, err)
	}
	if in.At.IsZero() {
		in.At = time.Now()
	}
	return judge(h, in.At, in.Issuers), nil
}

// holdings are what was read of a card. Objects that need the PIN and were not
// read are in neither content nor absent.
type holdings struct {
	issued  bool              // it is not of a make that holders set up themselves
	content map[uint32][]byte // values of data objects, without their wrapper 53
	damaged map[uint32]error  // by what is wrong with them
	absent  map[uint32]bool
	certs   map[*place]certificate
	keys    map[*place]keyCheck
}

// certificate is one that is there.
type certificate struct {
	parsed *x509.Certificate
	err    error    // it is damaged
	odd    []string // it can be read, although its object is not as the standard has it
}

// gather reads what needs no PIN.
func (a *app) gather(ctx context.Context, h *holdings) error {
	h.absent, h.damaged = make(map[uint32]bool), make(map[uint32]error)
	for i := range containers {
		if c := &containers[i]; !c.private && (!c.yubico || a.yubico) {
			if err := a.gatherData(ctx, h, c.tag); err != nil {
				return err
			}
		}
	}
	for i := range places {
		if p := &places[i]; p.ref != refAttestation || a.yubico {
			if err := a.gatherCertificate(ctx, h, p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *app) gatherData(ctx context.Context, h *holdings, tag uint32) error {
	raw, err := a.getData(ctx, tag, whole)
	switch {
	case errors.Is(err, swNotFound), errors.Is(err, swReference):
		h.absent[tag] = true
		return nil
	case refused(err):
		h.damaged[tag] = err
		return nil
	case err != nil:
		return err
	}
	if h.content[tag], err = content(tag, raw); err != nil {
		delete(h.content, tag)
		h.damaged[tag] = err
	}
	return nil
}

func (a *app) gatherCertificate(ctx context.Context, h *holdings, p *place) error {
	raw, err := a.getData(ctx, p.tag, whole)
	switch {
	case errors.Is(err, swNotFound), errors.Is(err, swReference):
		h.absent[p.tag] = true
		return nil
	case refused(err):
		h.certs[p] = certificate{err: err}
		return nil
	case err != nil:
		return err
	}
	if v, err := content(p.tag, raw); err == nil {
		h.content[p.tag] = v
	}
	u, err := unwrap(raw)
	if err != nil {
		h.certs[p] = certificate{err: err, odd: u.odd}
		return nil
	}
	c, err := x509.ParseCertificate(u.der)
	h.certs[p] = certificate{parsed: c, err: err, odd: u.odd}
	return nil
}

// gatherPrivate reads what needs the PIN, which was verified.
func (a *app) gatherPrivate(ctx context.Context, h *holdings) error {
	for i := range containers {
		if c := &containers[i]; c.private && (c.only == nil || c.only(a)) {
			if err := a.gatherData(ctx, h, c.tag); err != nil {
				return err
			}
		}
	}
	return nil
}

// tryKeys finds out whether private keys belong to their certificates: by the
// card's word where it has one, else by having them used, which all but 9E
// need the PIN for. What needs the PIN is one transaction, so that nobody else
// finds it verified.
func (a *app) tryKeys(ctx context.Context, h *holdings, pin token.PIN) error {
	return a.conn.Exclusive(ctx, aid, func(ctx context.Context, _ *apdu.Tx) (err error) {
		b := &backend{a}
		if !pin.IsZero() {
			if err := b.Login(ctx, token.ContextSpecific, pin); err != nil {
				return err
			}
			defer func() { err = errors.Join(err, b.forgetPIN(ctx)) }()
			if err := a.gatherPrivate(ctx, h); err != nil {
				return err
			}
		}
		for i := range places {
			p := &places[i]
			c, ok := h.certs[p]
			if !ok || c.parsed == nil {
				continue
			}
			if h.keys[p], err = b.checkKey(ctx, p, c.parsed, pin); err != nil {
				return err
			}
		}
		return nil
	})
}

// forgetPIN has the card forget the PIN, also for a caller who was cancelled
// meanwhile.
func (b *backend) forgetPIN(ctx context.Context) error {
	ctx, done := driver.CleanupContext(ctx)
	defer done()
	return b.Logout(ctx, token.User)
}
