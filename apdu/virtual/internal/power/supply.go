package power

// Supply is the power of one card. The zero value does not fail.
type Supply struct {
	left int // writes that are still done; 0: no failure is in store
}

// lost is what ends the execution of a command.
type lost struct{}

// FailAfter has the power fail after so many writes of the next command. A
// command that writes less is not cut. 0 takes a failure back.
func (s *Supply) FailAfter(writes int) { s.left = max(writes, 0) }

// Wrote tells of a write that was done. It does not return if the power fails
// now.
func (s *Supply) Wrote() {
	if s.left == 0 {
		return
	}
	if s.left--; s.left == 0 {
		panic(lost{})
	}
}

// Run executes a command, and tells whether the power failed meanwhile; then
// there is no answer. A failure that was in store and did not come is gone.
func (s *Supply) Run(command func() []byte) (answer []byte, cut bool) {
	defer func() {
		s.left = 0
		switch p := recover(); p.(type) {
		case nil:
		case lost:
			answer, cut = nil, true
		default:
			panic(p)
		}
	}()
	return command(), false
}
