package driver_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-cryptoki/cryptoki/token/driver"
)

func TestAftermathOutlivesItsCallerByAMoment(t *testing.T) {
	type key struct{}
	for _, late := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, 1))
			if late {
				cancel()
			}
			after, done := driver.CleanupContext(ctx)
			if after.Value(key{}) != 1 || after.Err() != nil {
				t.Errorf("%v, %v", after.Value(key{}), after.Err())
			}
			cancel()
			start := time.Now()
			<-after.Done()
			if d := time.Since(start); d == 0 || d > 100*time.Millisecond {
				t.Errorf("after %v", d)
			}
			done()
			after, done = driver.CleanupContext(t.Context())
			done()
			if after.Err() == nil {
				t.Error("not released")
			}
		})
	}
}
