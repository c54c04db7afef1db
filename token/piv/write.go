package piv

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// maxObject is what a card's object may hold: 3072 bytes on YubiKeys with all
// around it. Longer certificates are compressed.
const maxObject = 3052

// Store writes a certificate, a data object or a private key.
func (b *backend) Store(ctx context.Context, t object.Template, auth driver.Auth) (driver.Record, error) {
	switch class, _ := object.In(t, object.AttrClass); class {
	case object.ClassCertificate:
		return b.storeCertificate(ctx, t, auth)
	case object.ClassData:
		return b.storeData(ctx, t, auth)
	case object.ClassPrivateKey:
		return b.storeKey(ctx, t, auth)
	default:
		return driver.Record{}, ckr.Newf(ckr.TemplateInconsistent, "", "a PIV card holds no %v", class)
	}
}

// byID finds the slot that a template names, nil if it names none.
func (a *app) byID(t object.Template) (*slot, error) {
	id, _ := object.In(t, object.AttrID)
	if len(id) == 0 {
		return nil, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range places {
		if bytes.Equal(id, []byte{places[i].id}) {
			if s := a.slots[places[i].ref]; s != nil {
				return s, nil
			}
		}
	}
	return nil, ckr.Newf(ckr.TemplateInconsistent, "", "%v of a PIV card is 01 to 18 (hexadecimal), for its slots", object.AttrID.Type)
}

// holds checks that what a template says of an object is what the card's slot
// will say.
func holds(t object.Template, known object.Template, fixed ...object.Attr[bool]) error {
	if label, _ := object.In(t, object.AttrLabel); label != "" {
		if own, _ := object.In(known, object.AttrLabel); label != own {
			return ckr.Newf(ckr.TemplateInconsistent, "", "the card's label of this object is %q", own)
		}
	}
	for _, attr := range fixed {
		if got, given := object.In(t, attr); given && got != object.Is(known, attr) {
			return ckr.Newf(ckr.TemplateInconsistent, "", "%v is %v on this card", attr.Type, !got)
		}
	}
	return nil
}

func (b *backend) storeCertificate(ctx context.Context, t object.Template, auth driver.Auth) (driver.Record, error) {
	der, _ := object.In(t, object.AttrValue)
	if len(der) == 0 {
		return driver.Record{}, ckr.Newf(ckr.TemplateIncomplete, "", "%v is missing", object.AttrValue.Type)
	}
	s, err := b.byID(t)
	if err == nil && s == nil {
		s, err = b.ownerOf(ctx, der)
	}
	if err != nil {
		return driver.Record{}, err
	}
	if err := holds(t, b.locked(kindCertificate, s, nil).Known, object.AttrPrivate); err != nil {
		return driver.Record{}, err
	}
	there, err := b.present(ctx, s.tag)
	if err != nil {
		return driver.Record{}, err
	}
	if there {
		return driver.Record{}, ckr.Newf(ckr.TemplateInconsistent, s.String(), "the slot has a certificate, which goes first")
	}
	if err := b.write(ctx, auth, s.tag, wrapCertificate(der, maxObject)); err != nil {
		return driver.Record{}, err
	}
	b.setCertificate(s, der)
	return b.locked(kindCertificate, s, nil), nil
}

// setCertificate notes what was written to a slot, nil for nothing.
func (a *app) setCertificate(s *slot, der []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s.certKnown, s.certThere, s.cert, s.certErr, s.certPub = true, der != nil, bytes.Clone(der), nil, nil
	s.holdsCertificate(bytes.Clone(der))
	if c, err := x509.ParseCertificate(der); err == nil {
		s.certPub = c.PublicKey
	}
	s.tested, s.ours = false, s.ours || der != nil
	if !a.hasMetadata() {
		s.fresh = false
	}
}

// ownerOf finds the slot whose key a certificate is for.
func (a *app) ownerOf(ctx context.Context, der []byte) (*slot, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, ckr.New(ckr.AttributeValueInvalid, "", err)
	}
	for i := range places {
		s := a.slots[places[i].ref]
		if s == nil || s.ref == refAttestation {
			continue
		}
		pub := s.pub
		if a.hasMetadata() {
			if pub, err = a.public(ctx, s); err != nil {
				return nil, err
			}
		}
		if same(pub, c.PublicKey) {
			return s, nil
		}
	}
	return nil, ckr.Newf(ckr.TemplateIncomplete, "", "%v is missing, and no key is known to be the certificate's", object.AttrID.Type)
}

func same(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// write proves the management key and writes an object.
func (b *backend) write(ctx context.Context, auth driver.Auth, tag uint32, value []byte) error {
	leave, err := b.admit(ctx, auth)
	if err != nil {
		return err
	}
	defer leave()
	return b.putData(ctx, tag, value)
}

// locked is record for those who do not hold mu.
func (a *app) locked(kind string, s *slot, c *container) driver.Record {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.record(kind, s, c)
}

// containerOf finds the data object that a template means, by its identifier
// or its label.
func (a *app) containerOf(t object.Template) *container {
	oid, _ := object.In(t, object.AttrObjectID)
	label, _ := object.In(t, object.AttrLabel)
	for i := range containers {
		c := a.data[containers[i].tag]
		if c == nil {
			continue
		}
		if len(oid) > 0 && bytes.Equal(oid, c.oid()) || len(oid) == 0 && label == c.name {
			return c
		}
	}
	return nil
}

func (b *backend) storeData(ctx context.Context, t object.Template, auth driver.Auth) (driver.Record, error) {
	c := b.containerOf(t)
	if c == nil {
		return driver.Record{}, ckr.Newf(ckr.TemplateInconsistent, "", "a PIV card holds the data objects of the standard only, by their %v or %v",
			object.AttrObjectID.Type, object.AttrLabel.Type)
	}
	if err := holds(t, b.locked(kindData, nil, c).Known, object.AttrPrivate); err != nil {
		return driver.Record{}, err
	}
	if app, _ := object.In(t, object.AttrApplication); app != "" && app != "PIV" {
		return driver.Record{}, ckr.Newf(ckr.TemplateInconsistent, "", "%v is PIV on this card", object.AttrApplication.Type)
	}
	there, err := b.present(ctx, c.tag)
	if err != nil {
		return driver.Record{}, err
	}
	if there {
		return driver.Record{}, ckr.Newf(ckr.TemplateInconsistent, "", "the card has its %s, whose value can be changed", c.name)
	}
	v, _ := object.In(t, object.AttrValue)
	if len(v) == 0 {
		return driver.Record{}, ckr.Newf(ckr.TemplateInconsistent, "", "an object without a value does not exist on a PIV card")
	}
	if err := b.write(ctx, auth, c.tag, v); err != nil {
		return driver.Record{}, err
	}
	b.derived.known = false
	return b.locked(kindData, nil, c), nil
}

// Update changes the value of a data object, or moves a key to another slot,
// where the card can (Yubico's MOVE KEY): by its CKA_ID.
func (b *backend) Update(ctx context.Context, ref driver.Ref, changes []object.Attribute, auth driver.Auth) (driver.Record, error) {
	kind, s, c, err := b.parse(ref)
	if err != nil {
		return driver.Record{}, err
	}
	var id, value *object.Attribute
	known := b.locked(kind, s, c).Known
	for i, x := range changes {
		switch {
		case kind == kindKey && x.Type == object.AttrID.Type && b.canMove():
			id = &changes[i]
		case kind == kindData && x.Type == object.AttrValue.Type:
			value = &changes[i]
		default:
			if have, ok := known.Lookup(x.Type); !ok || !have.Equal(x) {
				return driver.Record{}, ckr.Newf(ckr.AttributeReadOnly, "", "%v of this object is the card's", x.Type)
			}
		}
	}
	switch {
	case id != nil:
		return b.move(ctx, s, object.Template{*id}, auth)
	case value != nil:
		v, _ := object.In(object.Template{*value}, object.AttrValue)
		if len(v) == 0 {
			return driver.Record{}, ckr.Newf(ckr.AttributeValueInvalid, "", "an object without a value does not exist on a PIV card")
		}
		if err := b.write(ctx, auth, c.tag, v); err != nil {
			return driver.Record{}, err
		}
		b.derived.known = false
	}
	return b.locked(kind, s, c), nil
}

// canMove tells whether the card moves and removes keys.
func (a *app) canMove() bool { return a.atLeast(5, 7) }

func (b *backend) move(ctx context.Context, from *slot, id object.Template, auth driver.Auth) (driver.Record, error) {
	to, err := b.byID(id)
	switch {
	case err != nil:
		return driver.Record{}, err
	case to == nil || to.ref == refAttestation || from.ref == refAttestation:
		return driver.Record{}, ckr.Newf(ckr.AttributeValueInvalid, "", "no slot that a key can move to")
	case to == from:
		return b.locked(kindKey, from, nil), nil
	}
	to.fresh = false
	if err := b.look(ctx, to); err != nil {
		return driver.Record{}, err
	}
	if to.present {
		return driver.Record{}, ckr.Newf(ckr.AttributeValueInvalid, to.String(), "the slot has a key")
	}
	leave, err := b.admit(ctx, auth)
	if err != nil {
		return driver.Record{}, err
	}
	defer leave()
	if _, err := b.do(ctx, apdu.Command{INS: insMove, P1: to.ref, P2: from.ref}); err != nil {
		return driver.Record{}, err
	}
	b.mu.Lock()
	from.empty()
	to.fresh, to.ours = false, true
	b.mu.Unlock()
	if err := b.look(ctx, to); err != nil {
		return driver.Record{}, err
	}
	return b.locked(kindKey, to, nil), nil
}

// Destroy removes an object. A private key goes where the card has a command
// for it, and its public key with it.
func (b *backend) Destroy(ctx context.Context, ref driver.Ref, auth driver.Auth) error {
	kind, s, c, err := b.parse(ref)
	if err != nil {
		return err
	}
	switch kind {
	case kindData:
		if err := b.write(ctx, auth, c.tag, nil); err != nil {
			return err
		}
		b.derived.known = false
		return nil
	case kindCertificate:
		if err := b.write(ctx, auth, s.tag, nil); err != nil {
			return err
		}
		b.setCertificate(s, nil)
		return nil
	case kindKey:
		return b.removeKey(ctx, s, auth)
	}
	return ckr.Newf(ckr.ActionProhibited, "", "the object goes with its private key")
}

func (b *backend) removeKey(ctx context.Context, s *slot, auth driver.Auth) error {
	if !b.canMove() {
		return ckr.Newf(ckr.ActionProhibited, s.String(), "the card does not remove keys")
	}
	leave, err := b.admit(ctx, auth)
	if err != nil {
		return err
	}
	defer leave()
	if _, err := b.do(ctx, apdu.Command{INS: insMove, P1: 0xFF, P2: s.ref}); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.empty()
	return nil
}
