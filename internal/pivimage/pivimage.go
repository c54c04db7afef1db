// Package pivimage reads the cards of the US government's test set, which lie
// compressed in apdu/virtual/testdata/piv, for the tests of all packages.
package pivimage

import (
	"compress/gzip"
	"fmt"
	"os"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

// Read reads the image in a file.
func Read(path string) (image virtual.PIVImage, err error) {
	f, err := os.Open(path)
	if err != nil {
		return image, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return image, fmt.Errorf("%s: %w", path, err)
	}
	if image, err = virtual.ReadPIVImage(z); err != nil {
		return image, fmt.Errorf("%s: %w", path, err)
	}
	return image, nil
}
