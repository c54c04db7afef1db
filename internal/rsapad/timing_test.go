package rsapad

import (
	"bytes"
	"flag"
	"math"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"
)

var timing = flag.Int("timing", 0, "judge the time of unpadding by so many samples, in millions; it takes a machine that does nothing else")

// TestUnpaddingTakesTheSameTimeWhateverTheBlock compares the times of blocks
// with good padding and of blocks with bad padding, in random order, by Welch's
// t-test: |t| below 4.5 is no difference. Nothing but the unpadding is timed.
// Without the flag it only goes through the motions, as clocks on shared
// machines prove nothing.
func TestUnpaddingTakesTheSameTimeWhateverTheBlock(t *testing.T) {
	samples := *timing * 1_000_000
	judged := samples > 0
	if !judged {
		samples = 20_000
	}
	for name, unpad := range map[string]func(block []byte){
		"message":     func(block []byte) { UnpadMessage(block) },
		"session key": func(block []byte) { SessionKey(block, 48) },
	} {
		statistic := welch(measure(samples, unpad))
		t.Logf("%s: t = %.2f over %d samples", name, statistic, samples)
		if judged && math.Abs(statistic) >= 4.5 {
			t.Errorf("%s: good and bad padding differ: t = %.2f", name, statistic)
		}
	}
}

// blocks are of a key of 2048 bits: good ones, whose messages have 48 bytes,
// and as many of each kind of bad ones.
func blocks(random *rand.Rand) (classes [2][][]byte) {
	const size, count = 256, 240
	faults := []func(b []byte){
		func(b []byte) { b[0] = 1 },
		func(b []byte) { b[1] = 1 },
		func(b []byte) { b[size-49] = 0xA5 },
		func(b []byte) { b[2+random.IntN(8)] = 0 },
		func(b []byte) { b[0], b[1] = 0xA5, 0x5A },
	}
	for i := range count {
		for class := range classes {
			b := make([]byte, size)
			for j := range b {
				b[j] = byte(1 + random.IntN(255))
			}
			b[0], b[1], b[size-49] = 0, 2, 0
			if class == 1 {
				faults[i%len(faults)](b)
			}
			classes[class] = append(classes[class], b)
		}
	}
	return classes
}

// measure times the classes in random order. All blocks are copied to the same
// place first, so that what is timed touches the same memory.
func measure(samples int, unpad func(block []byte)) (times [2][]float64) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	random := rand.New(rand.NewPCG(1, 2))
	classes := blocks(random)
	block := make([]byte, len(classes[0][0]))
	for i := range samples + samples/10 {
		if i%10_000 == 0 {
			runtime.GC()
		}
		class := random.IntN(2)
		copy(block, classes[class][random.IntN(len(classes[class]))])
		start := time.Now()
		unpad(block)
		took := time.Since(start)
		if i >= samples/10 { // the first ones warm up
			times[class] = append(times[class], float64(took))
		}
	}
	return times
}

// welch is the statistic of Welch's t-test, after what was disturbed by others
// was cut off: all that is longer than nineteen of twenty samples.
func welch(times [2][]float64) float64 {
	all := slices.Concat(times[0], times[1])
	slices.Sort(all)
	most := all[len(all)*19/20]
	var mean, variance, n [2]float64
	for class := range times {
		for _, x := range times[class] {
			if x > most {
				continue
			}
			n[class]++
			d := x - mean[class]
			mean[class] += d / n[class]
			variance[class] += d * (x - mean[class])
		}
		variance[class] /= n[class] - 1
	}
	spread := math.Sqrt(variance[0]/n[0] + variance[1]/n[1])
	if spread == 0 {
		return 0
	}
	return (mean[0] - mean[1]) / spread
}

// The blocks are what they are said to be.
func TestTimedBlocksAreGoodAndBad(t *testing.T) {
	classes := blocks(rand.New(rand.NewPCG(3, 4)))
	for class, list := range classes {
		for _, b := range list {
			before := bytes.Clone(b)
			out, err := UnpadMessage(b)
			if (err == nil) != (class == 0) || err == nil && len(out) != 48 || !bytes.Equal(b, before) {
				t.Errorf("class %d: %X gives %d bytes, %v", class, b, len(out), err)
			}
		}
	}
}
