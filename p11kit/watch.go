package p11kit

import (
	"sync/atomic"
	"time"
)

// patience is how long a call may take before the next is read; up to twice
// that, since watch looks only as often.
const patience = time.Millisecond

// watch finds out when the goroutine that reads a connection is busy with one
// call for long, and then has another one read. It looks from time to time
// while calls come and costs a call next to nothing: a timer set for each
// would wake the scheduler up.
type watch struct {
	succeed func()        // begins another reader
	turn    atomic.Uint64 // counts beginnings and ends of calls: odd while one is carried out
	armed   atomic.Bool   // the timer runs
	timer   *time.Timer
	seen    uint64        // turn when look looked last
	left    chan struct{} // one for each reader that has a successor
}

func (w *watch) start(succeed func()) {
	w.succeed = succeed
	w.left = make(chan struct{}, maxInFlight+1)
	w.timer = time.AfterFunc(time.Hour, w.look)
	w.timer.Stop()
}

// stop ends the watch, after the last reader.
func (w *watch) stop() { w.timer.Stop() }

// begin is called by the reader before it carries out a call.
func (w *watch) begin() uint64 {
	turn := w.turn.Add(1)
	w.arm()
	return turn
}

// end is called after the call; it reports whether the caller is still the
// reader.
func (w *watch) end(turn uint64) bool {
	if w.turn.CompareAndSwap(turn, turn+1) {
		return true
	}
	<-w.left // the successor has begun
	return false
}

func (w *watch) arm() {
	if w.armed.CompareAndSwap(false, true) {
		w.timer.Reset(patience)
	}
}

// look is called by the timer.
func (w *watch) look() {
	turn := w.turn.Load()
	idle := turn == w.seen
	w.seen = turn
	if idle && turn%2 == 1 && w.turn.CompareAndSwap(turn, turn+1) {
		w.succeed()
		w.left <- struct{}{}
		idle = false
	}
	if !idle {
		w.timer.Reset(patience)
		return
	}
	w.armed.Store(false)
	if w.turn.Load() != turn { // a call began just now
		w.arm()
	}
}
