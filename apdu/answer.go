package apdu

import (
	"context"
	"fmt"
)

// Bounds of one answer in parts: its whole length in bytes, the number of
// commands that fetch it, and how many of them may bring nothing.
const (
	maxAnswer      = MaxExtendedLe
	maxRounds      = 512
	maxEmptyRounds = 2
)

// An answer is what has come so far of the response to one command.
type answer struct {
	tx        *Tx
	want      int      // bytes, if not all
	all       bool     // want is only a bound
	corrected bool     // Le has been, after 6Cxx
	first     []byte   // the first part, nearly always the only one
	parts     [][]byte // those after it
	added     bool
	total     int
	short     bool // less came than was announced
}

// exchange sends a command as one APDU and fetches the answer: want bytes, or
// all. See [Command.Le].
func (t *Tx) exchange(ctx context.Context, w wire, want int) ([]byte, error) {
	a := &answer{tx: t, want: want}
	if want == 0 || want == MaxShortLe || want >= maxAnswer {
		a.want, a.all = maxAnswer, true
	}
	data, sw, err := a.ask(ctx, &w)
	if err != nil {
		return nil, err
	}
	a.add(data)
	if sw.SW1() == 0x61 {
		if sw, err = a.fetch(ctx, w, sw); err != nil {
			a.drop()
			return nil, err
		}
	}
	return a.result(sw)
}

// ask sends one command, with its Le corrected once if the card says so.
func (a *answer) ask(ctx context.Context, w *wire) ([]byte, Status, error) {
	data, sw, err := a.tx.send(ctx, *w)
	if err == nil && sw.SW1() == 0x6C && !a.corrected {
		a.corrected = true
		clear(data)
		w.Le = shortLe(sw.SW2())
		a.want = max(a.want, a.total+w.Le)
		data, sw, err = a.tx.send(ctx, *w)
	}
	return data, sw, err
}

// fetch sends GET RESPONSE, ISO 7816-4 §11.7.1, until there is no more, or
// enough.
func (a *answer) fetch(ctx context.Context, of wire, sw Status) (Status, error) {
	empty := 0
	for rounds := 0; sw.SW1() == 0x61 && a.total < a.want; rounds++ {
		if rounds == maxRounds || empty == maxEmptyRounds {
			return 0, a.tx.u.garbled("answer of %d bytes in %d parts does not end", a.total, rounds+1)
		}
		if err := ctx.Err(); err != nil {
			return 0, a.tx.u.cutOff(err)
		}
		get := wire{show: of.show, Command: Command{
			CLA: channel(of.CLA), INS: insGetResponse,
			Le: min(shortLe(sw.SW2()), a.want-a.total),
		}}
		data, next, err := a.ask(ctx, &get)
		if err != nil {
			return 0, err
		}
		if len(data) == 0 {
			empty++
		}
		if len(data) < get.Le {
			a.short = true
		}
		a.add(data)
		sw = next
	}
	if sw.SW1() == 0x61 && a.all {
		return 0, a.tx.u.garbled("answer of more than %d bytes", maxAnswer)
	}
	if sw.SW1() == 0x61 {
		return OK, nil // the caller wants no more
	}
	return sw, nil
}

func (a *answer) add(data []byte) {
	if a.added {
		a.parts = append(a.parts, data)
	} else {
		a.first, a.added = data, true
	}
	a.total += len(data)
}

// drop clears what nobody gets.
func (a *answer) drop() {
	clear(a.first)
	for _, p := range a.parts {
		clear(p)
	}
}

// result joins the parts.
func (a *answer) result(sw Status) ([]byte, error) {
	switch {
	case sw == OK && a.short:
		return a.join(), fmt.Errorf("%w: %w", ErrLink, ErrShort)
	case sw == OK:
		return a.join(), nil
	case sw.IsWarning():
		return a.join(), sw
	}
	a.drop()
	return nil, sw
}

func (a *answer) join() []byte {
	if len(a.parts) == 0 {
		return a.first
	}
	whole := append(make([]byte, 0, a.total), a.first...)
	for _, p := range a.parts {
		whole = append(whole, p...)
	}
	a.drop()
	return whole
}

// channel is the class byte of a GET RESPONSE: of the command it belongs to,
// the logical channel alone remains, ISO 7816-4 §5.4.1.
func channel(cla byte) byte {
	if cla&0xC0 == 0x40 {
		return cla & 0x4F
	}
	return cla & 0x03
}
