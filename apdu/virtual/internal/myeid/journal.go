package myeid

// journal is what a command changed and has not been committed. With no Store
// behind the card it stays off and costs nothing.
type journal struct {
	on       bool
	head     bool
	pins     uint16 // bit n: PIN n
	headers  map[*file]struct{}
	contents map[*file]struct{}
	keys     map[*file]struct{}
	gone     []uint32
}

func (j *journal) pin(ref int) {
	if j.on {
		j.pins |= 1 << ref
	}
}

func (j *journal) header(f *file)  { j.note(&j.headers, f) }
func (j *journal) content(f *file) { j.note(&j.contents, f) }
func (j *journal) key(f *file)     { j.note(&j.keys, f) }

// note remembers a file. Session objects live in memory only.
func (j *journal) note(set *map[*file]struct{}, f *file) {
	if !j.on || f.session() {
		return
	}
	if *set == nil {
		*set = make(map[*file]struct{})
	}
	(*set)[f] = struct{}{}
}

// drop remembers that a file is gone.
func (j *journal) drop(f *file) {
	if !j.on || f.session() {
		return
	}
	delete(j.headers, f)
	delete(j.contents, f)
	delete(j.keys, f)
	j.gone = append(j.gone, f.uid)
}

func (j *journal) empty() bool {
	return !j.on || !j.head && j.pins == 0 && len(j.headers)+len(j.contents)+len(j.keys)+len(j.gone) == 0
}
