package identity_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/go-cryptoki/cryptoki/session"
)

const users = 8

// A world has so many steps, then everything begins anew; in a short walk fewer,
// so that each cast has its turn.
const fewSteps, manySteps = 60, 400

// TestWalk walks at random, one turn at a time: the seed decides everything but
// the keys, and what goroutines do between two turns.
func TestWalk(t *testing.T) { walk(t, 1500, false) }

// TestRush is TestWalk with several turns at a time.
func TestRush(t *testing.T) { walk(t, 900, true) }

func walk(t *testing.T, few int, rush bool) {
	total := *steps
	if total == 0 {
		total = few
	}
	s := seedOf(t)
	j := newJudge(t)
	for done, i := 0, 0; done < total; i++ {
		c := casts[i%len(casts)]
		if *only != "" && c.name != *only {
			continue
		}
		n := min(max(fewSteps, total/len(casts)), manySteps, total-done)
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(s, uint64(i)))
			j.world = c.name
			live(t, j, c, random, n, done, rush)
		})
		done += n
	}
	j.sum()
}

// live lets a world have its steps.
func live(t *testing.T, j *judge, c cast, random *rand.Rand, n, before int, rush bool) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w, err := newWorld(ctx, j, c, c.someReaders(random), random, rush)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.open(ctx); err != nil {
		t.Fatal(err)
	}
	w.budget.Store(int64(n))
	j.step = func() int64 { return int64(before) + int64(n) - max(w.budget.Load(), 0) }
	var group sync.WaitGroup
	var all []*user
	for i := range users {
		u := &user{process: w.processes[i%len(w.processes)], name: fmt.Sprint("user ", i), random: split(random)}
		all = append(all, u)
		group.Go(func() { u.run(ctx) })
	}
	person, program := &disturber{w, "person", split(random)}, &disturber{w, "program", split(random)}
	group.Go(func() { person.run(ctx, person.person) })
	group.Go(func() { program.run(ctx, program.program) })
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	w.pace.set(true)
	if !w.pace.run(done) {
		t.Fatalf("everybody waits for something that does not come, after %d steps", j.step())
	}
	w.pace.set(false)
	w.settle(ctx, all)
	for _, p := range w.processes {
		if err := p.module.Close(); err != nil {
			j.excuse("close", err)
		}
	}
}

// settle checks, when all is quiet, that what should work does.
func (w *world) settle(ctx context.Context, all []*user) {
	w.calm.Store(true)
	for _, c := range w.cards {
		if err := w.rescue(ctx, c, false); err != nil {
			w.judge.fail("the test itself failed", "unblock: %v", err)
		}
	}
	random := rand.New(rand.NewPCG(1, 1))
	for _, u := range all {
		for _, k := range u.keys {
			must := w.mustWork(k)
			works := false
			var errs []error
			for range 8 { // a key may be for one thing only, to sign or to agree
				what, err := useKey(ctx, w.judge, u.name, k, random)
				w.judge.excuse(what, err)
				if works = err == nil; works || !must {
					break
				}
				errs = append(errs, err)
			}
			if !works && must {
				w.judge.fail("a Key does not work, though nothing happened to it", "%s: %v", u.name, errors.Join(errs...))
			}
		}
	}
	for _, p := range w.processes {
		var got []session.Key
		for k, err := range p.module.Keys(ctx, "pkcs11:") {
			w.judge.excuse("Keys", err)
			if err == nil {
				got = append(got, k)
			}
		}
		w.complete(p, got)
	}
}
