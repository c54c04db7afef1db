package tlv

import "fmt"

// Find returns the value of the first element with the first tag of path on the
// top level of b, in it that with the second, and so on. Bytes 00 and FF between
// elements are skipped. It returns [ErrNotFound], or [ErrMalformed] if something
// before the element is.
func Find(b []byte, path ...Tag) ([]byte, error) {
	for _, tag := range path {
		e, err := first(b, tag)
		if err != nil {
			return nil, err
		}
		b = e.Value
	}
	return b, nil
}

func first(b []byte, tag Tag) (Element, error) {
	for e, err := range ParsePadded(b) {
		if err != nil {
			return Element{}, err
		}
		if e.Tag == tag {
			return e, nil
		}
	}
	return Element{}, fmt.Errorf("tag %v: %w", tag, ErrNotFound)
}
