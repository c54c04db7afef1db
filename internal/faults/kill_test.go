package faults_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
)

// writeForEver is the child that is killed: it makes an object, changes it and
// destroys it again, and says before and after each step where it is.
func writeForEver(path string) int {
	ctx := context.Background()
	card, err := virtual.Open(path)
	if err != nil {
		return 1
	}
	m, s, err := openChild(card)
	if err != nil {
		return 1
	}
	defer m.Close()
	for n := 0; ; n++ {
		var o *object.Object
		for i, step := range []func() error{
			func() (err error) {
				o, err = s.Create(ctx, data("moving", false)...)
				return err
			},
			func() error { return s.Set(ctx, o, object.AttrValue.Is([]byte("changed"))) },
			func() error { return s.Destroy(ctx, o) },
		} {
			fmt.Println("begin", i)
			if err := step(); err != nil {
				fmt.Println(err)
				return 1
			}
			fmt.Println("end", i)
		}
	}
}

// states are the values that the object has after each step; it is not there
// after the last.
var states = []string{"value of moving", "changed", ""}

// afterKill returns the values that the object may have once a child was
// killed that has last said something.
func afterKill(said string) []string {
	verb, step := "", 0
	if _, err := fmt.Sscan(said, &verb, &step); err != nil {
		return []string{""}
	}
	before, after := states[(step+2)%3], states[step]
	if verb == "end" {
		before = after
	}
	return []string{before, after}
}

// killed lets a child say some lines, a moment pass, and kills it. It returns
// the last line.
func killed(t *testing.T, path string, random *rand.Rand) (last string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "FAULTS_CHILD=write", "FAULTS_PATH="+path)
	out := must(cmd.StdoutPipe())(t)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(out)
	for range 1 + random.IntN(12) {
		line, err := said.ReadString('\n')
		if err != nil {
			break
		}
		last = line
	}
	time.Sleep(time.Duration(random.IntN(1000)) * time.Microsecond)
	cmd.Process.Kill()
	rest := must(io.ReadAll(said))(t)
	cmd.Wait()
	for line := range strings.Lines(string(rest)) {
		if strings.HasSuffix(line, "\n") {
			last = line
		}
	}
	return strings.TrimSpace(last)
}

// E6
func killedWhileWriting(t *testing.T) {
	n := times(6, 1000)
	if *kills > 0 {
		n = *kills
	}
	path := storedCard(t)
	random := rand.New(rand.NewPCG(1, 6))
	seen := make(map[string]int)
	for range n {
		last := killed(t, path, random)
		seen[last]++
		card, err := virtual.Open(path)
		if err != nil {
			t.Fatalf("after %q the card cannot be read: %v", last, err)
		}
		r := rigOn(t, card, virtual.Single(card))
		s := r.user()
		r.left(s, last)
		r.one(s, "first")
		r.ok(r.module.Close())
		r.ok(card.Close())
		if t.Failed() {
			return
		}
	}
	t.Logf("%d processes were killed; the last that they said: %v", n, seen)
}

// left checks what a killed child has left, and clears it away.
func (r *rig) left(s *session.Session, last string) {
	r.Helper()
	found := r.find(s, object.AttrLabel.Is("moving"))
	value := ""
	for _, o := range found {
		value = string(must(object.Get(r.ctx, o, object.AttrValue))(r))
		r.ok(s.Destroy(r.ctx, o))
	}
	want := afterKill(last)
	if len(found) > 1 || value != want[0] && value != want[1] {
		r.Errorf("after %q there are %d objects, with the value %q; want one of %q", last, len(found), value, want)
	}
}
