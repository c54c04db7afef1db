package p11kit

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/slot"
	"github.com/go-cryptoki/cryptoki/token"
)

// What C_GetInfo tells.
const (
	manufacturer = "go-cryptoki"
	description  = "cryptoki over p11-kit"
)

var libraryVersion = [2]byte{0, 1}

// cryptokiVersion is that of the calls which were agreed on.
func (a *application) cryptokiVersion() [2]byte {
	if a.agreed < 1 {
		return [2]byte{2, 40}
	}
	return [2]byte{3, 0}
}

// handshake is what clients send with C_Initialize.
const handshake = "PRIVATE-GNOME-KEYRING-PKCS11-PROTOCOL-V-1"

func initialize(ctx context.Context, a *application, r *reader, _ *writer) error {
	text := r.bytes()
	r.byte()
	r.bytes() // reserved
	if !bytes.Equal(text, []byte(handshake)) {
		return ckr.ArgumentsBad
	}
	return a.initialize(ctx)
}

func finalize(_ context.Context, a *application, _ *reader, _ *writer) error { return a.end() }

func getInfo(_ context.Context, a *application, _ *reader, w *writer) error {
	w.version(a.cryptokiVersion())
	w.fixed(manufacturer, 32)
	w.ulong(0)
	w.fixed(description, 32)
	w.version(libraryVersion)
	return nil
}

// list writes numbers, or how many there are if the caller's room is too small.
func list(w *writer, room room, numbers []uint64) error {
	if room.query || room.size < len(numbers) {
		w.length(len(numbers))
		return nil
	}
	w.ulongs(numbers)
	return nil
}

func getSlotList(ctx context.Context, a *application, r *reader, w *writer) error {
	present := r.byte() != 0
	room := r.room()
	slots, err := a.module().Slots(ctx, present)
	if err != nil {
		return err
	}
	var ids []uint64
	for _, s := range slots {
		ids = append(ids, uint64(s.ID()))
	}
	return list(w, room, ids)
}

func getSlotInfo(ctx context.Context, a *application, r *reader, w *writer) error {
	s, err := a.module().Slot(ctx, slot.ID(r.ulong()))
	if err != nil {
		return err
	}
	info := s.Info()
	w.fixed(info.Reader, 64)
	w.fixed(manufacturer, 32)
	w.ulong(uint64(info.Flags))
	w.version([2]byte{})
	w.version([2]byte{})
	return nil
}

func (a *application) token(ctx context.Context, id uint64) (token.Token, error) {
	s, err := a.module().Slot(ctx, slot.ID(id))
	if err != nil {
		return nil, err
	}
	return s.Token(ctx)
}

// unavailable is CK_UNAVAILABLE_INFORMATION.
const unavailable = ^uint64(0)

func getTokenInfo(ctx context.Context, a *application, r *reader, w *writer) error {
	t, err := a.token(ctx, r.ulong())
	if err != nil {
		return err
	}
	i, err := t.Info(ctx)
	if err != nil {
		return err
	}
	w.fixed(i.Label, 32)
	w.fixed(i.Manufacturer, 32)
	w.fixed(i.Model, 16)
	w.fixed(i.Serial, 16)
	w.ulong(uint64(i.Flags))
	w.ulong(0) // as many sessions as one likes
	w.ulong(unavailable)
	w.ulong(0)
	w.ulong(unavailable)
	w.ulong(uint64(max(i.MaxPIN, i.MaxSOPIN)))
	w.ulong(uint64(min(i.MinPIN, i.MinSOPIN)))
	for _, n := range []int64{i.TotalPublic, i.FreePublic, i.TotalPrivate, i.FreePrivate} {
		w.ulong(uint64(n)) // -1 is CK_UNAVAILABLE_INFORMATION
	}
	w.version(i.HardwareVersion)
	w.version(i.FirmwareVersion)
	w.fixed("", 16)
	return nil
}

func getMechanismList(ctx context.Context, a *application, r *reader, w *writer) error {
	t, err := a.token(ctx, r.ulong())
	if err != nil {
		return err
	}
	room := r.room()
	var all []uint64
	for m := range t.Mechanisms() {
		all = append(all, uint64(m))
	}
	slices.Sort(all)
	return list(w, room, all)
}

func getMechanismInfo(ctx context.Context, a *application, r *reader, w *writer) error {
	t, err := a.token(ctx, r.ulong())
	if err != nil {
		return err
	}
	info, ok := t.Mechanisms()[mechanism.Type(r.ulong())]
	if !ok {
		return ckr.MechanismInvalid
	}
	w.ulong(info.MinKeySize)
	w.ulong(info.MaxKeySize)
	w.ulong(uint64(info.Flags))
	return nil
}

// pin is a PIN as a field ay has it: NULL is one that is entered on the
// reader.
func pin(b []byte) token.PIN {
	if b == nil {
		return token.Pad()
	}
	return token.NewPIN(b)
}

func initToken(ctx context.Context, a *application, r *reader, _ *writer) error {
	id, so, label := r.ulong(), pin(r.bytes()), r.array()
	defer so.Clear()
	t, err := a.token(ctx, id)
	if err != nil {
		return err
	}
	return t.Initialize(ctx, so, strings.TrimRight(string(label[:min(len(label), 32)]), " \x00"))
}

// Flags of C_OpenSession.
const (
	flagRW     = 2
	flagSerial = 4
)

func openSession(ctx context.Context, a *application, r *reader, w *writer) error {
	id, flags := slot.ID(r.ulong()), r.ulong()
	if flags&flagSerial == 0 {
		return ckr.SessionParallelNotSupported
	}
	var opts []session.Option
	if flags&flagRW != 0 {
		opts = append(opts, session.ReadWrite())
	}
	s, err := a.module().OpenSession(ctx, id, opts...)
	if err != nil {
		return err
	}
	h, err := a.add(&client{app: a, s: s, slot: id, rw: flags&flagRW != 0})
	if err != nil {
		s.Close()
		return err
	}
	w.ulong(h)
	return nil
}

func closeSession(_ context.Context, a *application, r *reader, _ *writer) error {
	c := a.remove(r.ulong())
	if c == nil {
		return ckr.SessionHandleInvalid
	}
	c.drop()
	return c.s.Close()
}

func closeAllSessions(ctx context.Context, a *application, r *reader, _ *writer) error {
	id := slot.ID(r.ulong())
	if _, err := a.module().Slot(ctx, id); err != nil {
		return err
	}
	a.mu.Lock()
	var all []*client
	for h, c := range a.sessions {
		if c.slot == id {
			all = append(all, c)
			delete(a.sessions, h)
		}
	}
	a.mu.Unlock()
	for _, c := range all {
		c.drop()
		c.s.Close()
	}
	return nil
}

var getSessionInfo = on(func(_ context.Context, c *client, _ *reader, w *writer) error {
	info, err := c.s.Info()
	if err != nil {
		return err
	}
	flags := uint64(flagSerial)
	if info.ReadWrite {
		flags |= flagRW
	}
	w.ulong(uint64(c.slot))
	w.ulong(uint64(info.State))
	w.ulong(flags)
	w.ulong(0)
	return nil
})

var initPIN = on(func(ctx context.Context, c *client, r *reader, _ *writer) error {
	p := pin(r.bytes())
	defer p.Clear()
	return c.s.InitPIN(ctx, p)
})

var setPIN = on(func(ctx context.Context, c *client, r *reader, _ *writer) error {
	old, new := pin(r.bytes()), pin(r.bytes())
	defer old.Clear()
	defer new.Clear()
	return c.s.SetPIN(ctx, old, new)
})

var login = on(func(ctx context.Context, c *client, r *reader, _ *writer) error {
	role, p := token.Role(r.ulong()), pin(r.bytes())
	defer p.Clear()
	return c.login(ctx, role, p)
})

func (c *client) login(ctx context.Context, role token.Role, p token.PIN) error {
	if role == token.ContextSpecific {
		return c.loginOperation(ctx, p)
	}
	return c.s.Login(ctx, role, p)
}

var logout = on(func(ctx context.Context, c *client, _ *reader, _ *writer) error { return c.s.Logout(ctx) })

var seedRandom = on(func(_ context.Context, c *client, _ *reader, _ *writer) error {
	if _, err := c.s.Info(); err != nil {
		return err
	}
	return ckr.RandomSeedNotSupported
})

// maxRandom bounds the random bytes of one call.
const maxRandom = 1 << 20

var generateRandom = on(func(ctx context.Context, c *client, r *reader, w *writer) error {
	room := r.room()
	if room.size > maxRandom {
		return ckr.ArgumentsBad
	}
	b, err := c.s.Random(ctx, room.size)
	if err != nil {
		return err
	}
	w.bytes(b)
	return nil
})

// flagDontBlock is CKF_DONT_BLOCK.
const flagDontBlock = 1

func waitForSlotEvent(ctx context.Context, a *application, r *reader, w *writer) error {
	wait := a.module().WaitForSlotEvent
	if r.ulong()&flagDontBlock != 0 {
		wait = a.module().SlotEvent
	}
	id, err := wait(ctx)
	if err != nil {
		return err
	}
	w.ulong(uint64(id))
	return nil
}
