package pkcs15

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// Bits of PinFlags.
const (
	pinInitialized = 4
	pinPadded      = 5
	pinUnblocking  = 6
	pinSO          = 7
)

// pin is a PIN object of EF.AODF.
type pin struct {
	raw    []byte
	node   tlv.Node
	label  string
	id     []byte
	by     []byte // id of the PIN that unblocks this one, or empty
	flags  bits
	min    int
	stored int
	max    int
	ref    byte
	pad    byte
	tries  ckr.Tries // as the card told last
}

func (p *pin) user() bool { return !p.flags.has(pinSO) && !p.flags.has(pinUnblocking) }

// pinBlock is the length of a PIN block of these cards.
const pinBlock = 8

// readPINs reads EF.AODF.
func (a *app) readPINs(ctx context.Context) error {
	for _, o := range a.odf {
		if o.kind != dirAuth {
			continue
		}
		d := &dirFile{kind: o.kind, path: o.path, base: a.df}
		b, info, err := a.readFile(ctx, o.path.file, complete)
		if errors.Is(err, swNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		d.old, d.info = b, info
		list, _, damage := entries(b)
		d.damage = damage
		for _, raw := range list {
			d.entries = append(d.entries, &entry{dir: d, raw: raw})
			if p, err := parsePIN(raw); err == nil {
				a.pins = append(a.pins, p)
			}
		}
		if a.aodf == nil {
			a.aodf = d
		}
	}
	return nil
}

func parsePIN(raw []byte) (*pin, error) {
	node, err := one(raw)
	if err != nil {
		return nil, err
	}
	c := node.Children
	if node.Tag != tagSeq || len(c) < 3 {
		return nil, errForm
	}
	p := &pin{raw: raw, node: node, pad: 0xFF, stored: pinBlock}
	if l, ok := find(c[0].Children, tagUTF8); ok {
		p.label = text(l.Value)
	}
	if by, ok := find(c[0].Children, tagOctets); ok {
		p.by = by.Value
	}
	if id, ok := find(c[1].Children, tagOctets); ok {
		p.id = id.Value
	}
	typ, ok := find(c[2:], tagContext+1)
	if !ok || len(typ.Children) == 0 {
		return nil, errForm
	}
	numbers := 0
	for _, n := range typ.Children[0].Children {
		v, _ := unsigned(n.Value)
		switch n.Tag {
		case tagBits:
			p.flags, _ = parseBits(n.Value)
		case tagInt: // minLength, storedLength, maxLength
			switch numbers {
			case 0:
				p.min = v
			case 1:
				p.stored = v
			case 2:
				p.max = v
			}
			numbers++
		case tagPrim0:
			p.ref = byte(v)
		case tagOctets:
			if len(n.Value) == 1 {
				p.pad = n.Value[0]
			}
		}
	}
	p.clamp()
	return p, nil
}

// clamp brings what a card says of its PINs within what its commands carry.
func (p *pin) clamp() {
	if p.stored <= 0 || p.stored > pinBlock {
		p.stored = pinBlock
	}
	if p.max <= 0 || p.max > p.stored {
		p.max = p.stored
	}
	if p.min < 1 || p.min > p.max {
		p.min = min(4, p.max)
	}
}

// block pads a PIN to the length that the card compares. The caller clears it.
func (p *pin) block(secret []byte) ([]byte, error) {
	switch {
	case len(secret) == 0 || len(secret) > pinBlock || bytes.IndexByte(secret, p.pad) >= 0:
		return nil, ckr.Newf(ckr.PINLenRange, "", "the PIN does not fit the card's block")
	case len(secret) < p.min || p.max > 0 && len(secret) > p.max:
		return nil, ckr.Newf(ckr.PINLenRange, "", "it has %d to %d bytes on this card", p.min, p.max)
	}
	b := make([]byte, pinBlock)
	for i := copy(b, secret); i < len(b); i++ {
		b[i] = p.pad
	}
	return b, nil
}

// pinOf returns the PIN object of a role.
func (b *backend) pinOf(r token.Role) (*pin, error) {
	for _, p := range b.app.pins {
		switch {
		case r == token.SO && p.flags.has(pinSO):
			return p, nil
		case r != token.SO && p.user() && bytes.Equal(p.id, b.authID):
			return p, nil
		}
	}
	if r == token.SO {
		return nil, ckr.Newf(ckr.UserTypeInvalid, "", "the card has no security officer's PIN")
	}
	return nil, ckr.Newf(ckr.UserPINNotInitialized, "", "the card has no user PIN")
}

// Login verifies a PIN with one VERIFY (ISO 7816-4 §11.5.6).
func (b *backend) Login(ctx context.Context, r token.Role, secret token.PIN) error {
	p, err := b.pinOf(r)
	if err != nil {
		return err
	}
	if secret.IsPad() {
		return b.verifyOnPad(ctx, p)
	}
	block, err := p.block(secret.Reveal())
	if err != nil {
		return err
	}
	defer clear(block)
	_, err = b.app.do(ctx, apdu.Command{INS: 0x20, P2: p.ref, Data: block})
	return b.app.judge(ctx, p, err)
}

// judge turns the answer to a PIN command into a code and notes the tries.
func (a *app) judge(ctx context.Context, p *pin, err error) error {
	if err == nil {
		p.tries = ckr.Tries{}
		return nil
	}
	var sw apdu.Status
	if !errors.As(err, &sw) {
		return err
	}
	code := driver.StatusCode(sw)
	switch {
	case sw == 0x6983 || sw == 0x63C0:
		code = ckr.PINLocked
		p.tries = ckr.Tries{Left: 0, Known: true}
	case sw.Is(apdu.Status(0x63C0)):
		code = ckr.PINIncorrect
		p.tries = ckr.Tries{Left: int(sw & 15), Known: true}
	case sw == 0x6982:
		code = ckr.PINIncorrect
	case sw == 0x6700 || sw == 0x6A80:
		code = ckr.PINLenRange
	case sw == 0x6985:
		code = ckr.PINLocked
	case sw == 0x6984 || sw == 0x6A88 || sw == 0x6A86:
		code = ckr.UserPINNotInitialized
	}
	return &ckr.Error{Code: code, Tries: p.tries, Err: err}
}

// Logout has the card forget a verified PIN (DEAUTHENTICATE).
func (b *backend) Logout(ctx context.Context, r token.Role) error {
	p, err := b.pinOf(r)
	if err != nil {
		return nil // nothing that could be verified
	}
	_, err = b.app.do(ctx, apdu.Command{INS: 0x2E, P2: p.ref})
	return why("DEAUTHENTICATE", err)
}

// PINStatus asks with an empty VERIFY.
func (b *backend) PINStatus(ctx context.Context, r token.Role) (bool, ckr.Tries, error) {
	p, err := b.pinOf(r)
	if err != nil {
		return false, ckr.Tries{}, err
	}
	_, err = b.app.do(ctx, apdu.Command{INS: 0x20, P2: p.ref})
	switch judged := b.app.judge(ctx, p, err); {
	case err == nil:
		return true, ckr.Tries{}, nil
	case refused(err):
		_ = judged
		return false, p.tries, nil
	default:
		return false, ckr.Tries{}, err
	}
}

// ChangePIN replaces a PIN (CHANGE REFERENCE DATA, ISO 7816-4 §11.5.7).
func (b *backend) ChangePIN(ctx context.Context, r token.Role, old, new token.PIN) error {
	p, err := b.pinOf(r)
	if err != nil {
		return err
	}
	if old.IsPad() || new.IsPad() {
		if old.IsPad() != new.IsPad() {
			return ckr.Newf(ckr.ArgumentsBad, "", "old and new PIN are both entered on the reader, or neither")
		}
		return b.changeOnPad(ctx, p, true)
	}
	return b.setPIN(ctx, apdu.Command{INS: 0x24, P2: p.ref}, p, typed{p, old}, typed{p, new})
}

// UnblockPIN sets the user's PIN with its PUK (RESET RETRY COUNTER). A PUK whose
// length cannot be right is not sent.
func (b *backend) UnblockPIN(ctx context.Context, puk, new token.PIN) error {
	p, err := b.pinOf(token.User)
	if err != nil {
		return err
	}
	by, err := b.app.unblocking(ctx, p)
	if err != nil {
		return err
	}
	return b.setPIN(ctx, apdu.Command{INS: 0x2C, P2: p.ref}, p, typed{by, puk}, typed{p, new})
}

// unblocking describes the PUK of a PIN: as EF.AODF has it, with the least
// length that the card tells, if that is a length (GET DATA 01B1 to 01BE).
func (a *app) unblocking(ctx context.Context, p *pin) (*pin, error) {
	puk := &pin{min: 1, max: pinBlock, pad: p.pad}
	for _, other := range a.pins {
		if other.flags.has(pinUnblocking) && len(p.by) > 0 && bytes.Equal(other.id, p.by) {
			puk.min, puk.max = other.min, other.max
		}
	}
	const leastOfPUK = 8 // where it is in the answer
	b, err := a.do(ctx, getData(0xB0+p.ref, 256))
	if refused(err) {
		return puk, nil
	}
	if err != nil {
		return nil, err
	}
	if len(b) > leastOfPUK && int(b[leastOfPUK]) <= puk.max {
		puk.min = max(puk.min, int(b[leastOfPUK]))
	}
	return puk, nil
}

// typed is what was given for a PIN.
type typed struct {
	of     *pin
	secret token.PIN
}

func (b *backend) setPIN(ctx context.Context, cmd apdu.Command, p *pin, secrets ...typed) error {
	if err := b.app.writable(); err != nil {
		return err
	}
	var data []byte
	defer func() { clear(data) }()
	for _, s := range secrets {
		block, err := s.of.block(s.secret.Reveal())
		if err != nil {
			return err
		}
		data = append(data, block...)
		clear(block)
	}
	cmd.Data = data
	_, err := b.app.do(ctx, cmd)
	if err := b.app.judge(ctx, p, err); err != nil {
		return err
	}
	return b.synced(ctx)
}

// InitPIN sets the user's PIN by the right of the security officer, who is
// the card's administrator on a card that Initialize made. On the first time
// EF.AODF learns that there is a PIN now.
func (b *backend) InitPIN(ctx context.Context, secret token.PIN) error {
	p, err := b.pinOf(token.User)
	if err != nil {
		return err
	}
	a := b.app
	if secret.IsPad() {
		err = b.changeOnPad(ctx, p, false)
	} else {
		err = b.setPIN(ctx, apdu.Command{INS: 0x24, P2: p.ref}, p, typed{p, secret})
	}
	if ckr.Of(err) == ckr.PINLenRange || ckr.Of(err) == ckr.PINIncorrect || ckr.Of(err) == ckr.PINLocked {
		return ckr.Newf(ckr.FunctionNotSupported, "", "the user's PIN of this card is set with its PUK only: %w", err)
	}
	if err != nil || p.flags.has(pinInitialized) {
		return err
	}
	return a.markInitialised(ctx, p)
}

func (a *app) markInitialised(ctx context.Context, p *pin) error {
	typ, _ := find(p.node.Children, tagContext+1)
	inner := typ.Children[0]
	flags := p.flags | 1<<pinInitialized
	changed := replaced(inner.Children, tlv.Node{Element: tlv.Element{Tag: tagBits}}, flags.der())
	raw := tlv.New(tagSeq, raws(p.node.Children[:2]), tlv.New(tagContext+1, tlv.New(tagSeq, changed)))
	var list []*entry
	for _, e := range a.aodf.entries {
		if bytes.Equal(e.raw, p.raw) {
			e = &entry{dir: a.aodf, raw: raw}
		}
		list = append(list, e)
	}
	if err := a.writeDir(ctx, a.aodf, list); err != nil {
		return err
	}
	p.raw, p.flags = raw, flags
	if n, err := one(raw); err == nil {
		p.node = n
	}
	return a.synced(ctx)
}

// unguessable is a PIN that nobody knows.
func unguessable() []byte {
	const letters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
	b := make([]byte, pinBlock)
	rand.Read(b)
	for i := range b {
		b[i] = letters[b[i]%byte(len(letters))]
	}
	return b
}
