package tlv

// MaxDepth is how deep elements may lie in each other.
const MaxDepth = 16

// Node is an element and, if it is constructed, the elements in it.
type Node struct {
	Element
	Children []Node
}

// Decode reads b as a tree. At most [MaxElements] are read in all, at most
// [MaxDepth] deep. Offsets in errors count from the beginning of b.
func Decode(b []byte) ([]Node, error) {
	left := MaxElements
	return decode(b, 0, 1, &left)
}

func decode(b []byte, offset, depth int, left *int) ([]Node, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if depth > MaxDepth {
		return nil, &Error{Offset: offset, Reason: "nested too deep"}
	}
	var nodes []Node
	at := offset
	for e, err := range Parse(b) {
		if err != nil {
			return nil, shift(err, offset)
		}
		if *left == 0 {
			return nil, &Error{Tag: e.Tag, Offset: at, Reason: "too many elements"}
		}
		*left--
		n := Node{Element: e}
		if e.Tag.Constructed() {
			head := len(e.Raw) - len(e.Value)
			if n.Children, err = decode(e.Value, at+head, depth+1, left); err != nil {
				return nil, err
			}
		}
		nodes = append(nodes, n)
		at += len(e.Raw)
	}
	return nodes, nil
}
