package record

// Change is one record to write, or to delete if Value is nil.
type Change struct {
	Key   string // a folder and a name: "pin/00000001"
	Value []byte
}

// Store keeps records. Commit makes all changes at once, or none; when it
// returns without an error they outlive the process. It does not keep the
// values themselves: they may hold secrets, and are cleared afterwards.
// Records returns copies, which are the caller's.
type Store interface {
	Commit(changes []Change) error
	Records() (map[string][]byte, error)
}

// Read gives what a Store has to decode, and clears it afterwards: decode
// keeps copies.
func Read(s Store, decode func(records map[string][]byte) error) error {
	records, err := s.Records()
	if err != nil {
		return err
	}
	defer func() {
		for _, value := range records {
			clear(value)
		}
	}()
	return decode(records)
}
