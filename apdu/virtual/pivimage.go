package virtual

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
)

// maxImage is the longest image that is read, in bytes of JSON.
const maxImage = 4 << 20

// PIVImage is the content of a PIV card, for WithPIVImage.
type PIVImage struct {
	Name string
	// Objects are data objects by tag, as GET DATA answers them, with their
	// wrapper 53, 7E or 7F61. They may be damaged.
	Objects map[uint32][]byte
	// Keys are private keys in PKCS #8 by key reference: 9A, 9C, 9D, 9E, and
	// 82 to 95.
	Keys map[byte][]byte
}

// ReadPIVImage reads an image in JSON, {"card": name, "objects": {tag: value},
// "keys": {reference: key}}, all in hexadecimal. Other members are passed
// over.
func ReadPIVImage(r io.Reader) (PIVImage, error) {
	var file struct {
		Card    string
		Objects map[string]string
		Keys    map[string]string
	}
	if err := json.NewDecoder(io.LimitReader(r, maxImage)).Decode(&file); err != nil {
		return PIVImage{}, fmt.Errorf("virtual: PIV image: %w", err)
	}
	i := PIVImage{Name: file.Card, Objects: make(map[uint32][]byte), Keys: make(map[byte][]byte)}
	for tag, value := range file.Objects {
		n, v, err := imageEntry(tag, value, 24)
		if err != nil {
			return PIVImage{}, fmt.Errorf("virtual: PIV image: object %s: %w", tag, err)
		}
		i.Objects[uint32(n)] = v
	}
	for ref, value := range file.Keys {
		n, v, err := imageEntry(ref, value, 8)
		if err != nil {
			return PIVImage{}, fmt.Errorf("virtual: PIV image: key %s: %w", ref, err)
		}
		i.Keys[byte(n)] = v
	}
	return i, nil
}

func imageEntry(number, value string, bits int) (uint64, []byte, error) {
	n, err := strconv.ParseUint(number, 16, bits)
	if err != nil {
		return 0, nil, err
	}
	v, err := hex.DecodeString(value)
	return n, v, err
}
