package faults_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

// kind is a way in which an exchange goes wrong.
type kind struct {
	name  string
	fault func(r *bench) virtual.Fault
	every int  // at each so many-th exchange from there on; 0: once
	lies  bool // what is answered may look like another content of the card
	torn  bool
	cure  func(r *bench) // puts right what the fault broke for good
}

const (
	// patience is how long callers wait for a card that does not answer, and
	// stall how long it does not.
	patience = 5 * time.Second
	stall    = 13 * time.Minute
)

func plain(name string, f virtual.Fault) kind {
	return kind{name: name, fault: func(*bench) virtual.Fault { return f }}
}

func pulled(name string, k virtual.FaultKind) kind {
	out := plain(name, virtual.Fault{Kind: k})
	out.cure = func(r *bench) { r.ok(r.readers.Insert(reader, r.card)) }
	return out
}

func rewrite(name string, f func(a []byte) []byte) kind {
	k := plain(name, virtual.Fault{Kind: virtual.Rewrite, Edit: f})
	k.lies = true
	return k
}

func lie(k kind) kind { k.lies = true; return k }

// kinds are all of them but tearing.
var kinds = func() []kind {
	list := []kind{
		pulled("pulled before", virtual.CutBefore), pulled("pulled after", virtual.CutAfter),
		plain("reset before", virtual.Fault{Kind: virtual.ResetBefore}),
		plain("reset after", virtual.Fault{Kind: virtual.ResetAfter}),
		plain("reset unseen", virtual.Fault{Kind: virtual.ResetUnseen}),
		plain("link", virtual.Fault{Kind: virtual.FailLink}),
		plain("answer lost", virtual.Fault{Kind: virtual.LoseAnswer}),
		plain("strange", virtual.Fault{Kind: virtual.Fail, Err: errors.New("strange")}),
		plain("occupied", virtual.Fault{Kind: virtual.Occupy}),
		{
			name:  "occupied for long",
			fault: func(*bench) virtual.Fault { return virtual.Fault{Kind: virtual.Occupy} }, every: 1,
		},
		{
			name:  "unplugged",
			fault: func(*bench) virtual.Fault { return virtual.Fault{Kind: virtual.Unplug} },
			cure: func(r *bench) {
				r.ok(r.readers.AddReader(reader))
				r.ok(r.readers.Insert(reader, r.card))
			},
		},
		{
			name:  "service stopped",
			fault: func(*bench) virtual.Fault { return virtual.Fault{Kind: virtual.StopService} },
			cure:  func(r *bench) { r.readers.StartService() },
		},
		{
			name:  "swapped",
			fault: func(r *bench) virtual.Fault { return virtual.Fault{Kind: virtual.Swap, Card: r.other} },
			cure: func(r *bench) {
				r.ok(r.readers.Remove(reader))
				r.ok(r.readers.Insert(reader, r.card))
			},
		},
		plain("hangs", virtual.Fault{Kind: virtual.Hang}),
		{
			name:  "stalls",
			fault: func(*bench) virtual.Fault { return virtual.Fault{Kind: virtual.Stall, Wait: stall} },
			cure:  func(*bench) { time.Sleep(stall) },
		},
		{
			name:  "selection stolen",
			fault: func(r *bench) virtual.Fault { return virtual.Fault{Kind: virtual.Steal, Commands: r.selects} },
		},
		{
			name:  "login stolen",
			fault: func(r *bench) virtual.Fault { return virtual.Fault{Kind: virtual.Steal, Commands: r.verifies} },
		},
		rewrite("empty", func([]byte) []byte { return nil }),
		rewrite("one byte", func(a []byte) []byte { return a[:1] }),
		rewrite("no data", func(a []byte) []byte { return a[len(a)-2:] }),
		rewrite("half", func(a []byte) []byte { return append(a[:(len(a)-2)/2], a[len(a)-2:]...) }),
		rewrite("more", func(a []byte) []byte { return append(make([]byte, 300), a...) }),
		rewrite("zeros", func(a []byte) []byte { return make([]byte, len(a)) }),
		rewrite("flipped", func(a []byte) []byte { a[0] ^= 0x55; return a }),
		lie(plain("6C01", virtual.Loop6C(1))),
		lie(kind{name: "6Cxx for ever", fault: func(*bench) virtual.Fault { return virtual.Loop6C(5) }, every: 1}),
		lie(kind{name: "6100 for ever", fault: func(*bench) virtual.Fault { return virtual.Loop61(0) }, every: 1}),
		lie(kind{name: "61xx with data for ever", fault: func(*bench) virtual.Fault { return virtual.Loop61(200) }, every: 1}),
	}
	for _, sw := range []apdu.Status{0x6F00, 0x6982, 0x6581, 0x6A84, 0x6D00, 0x6100, 0x0000} {
		list = append(list, lie(plain(fmt.Sprintf("%04X", uint16(sw)), virtual.SW(sw))))
	}
	return list
}()

// tear is the loss of power after so many writes within a command.
func tear(writes int) kind {
	return kind{
		name:  fmt.Sprintf("torn after %d", writes),
		fault: func(*bench) virtual.Fault { return virtual.Fault{Kind: virtual.Tear, Writes: writes} },
		torn:  true,
	}
}
