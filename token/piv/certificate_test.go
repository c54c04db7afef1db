package piv

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// Certificates are read from objects that are not quite as the standard has
// them, and what is wrong is said.
func TestCertificateObjectsThatAreNotQuiteRight(t *testing.T) {
	der := tlv.New(0x30, bytes.Repeat([]byte("certificate"), 30))
	pack := func(v []byte, with func(io.Writer) io.WriteCloser) []byte {
		var b bytes.Buffer
		w := with(&b)
		w.Write(v)
		w.Close()
		return b.Bytes()
	}
	gz := func(v []byte) []byte { return pack(v, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }) }
	zl := func(v []byte) []byte { return pack(v, func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }) }
	zeros := make([]byte, 40)
	holds := func(v []byte, info ...byte) []byte {
		out := tlv.New(tagCertificate, v)
		if len(info) > 0 {
			out = append(out, tlv.New(tagCertInfo, info)...)
		}
		return append(out, tlv.New(tagErrorCode)...)
	}
	for name, c := range map[string]struct {
		content []byte
		want    []byte // nil: damaged
		odd     string // what is said, or nothing
	}{
		"plain":                        {holds(der, 0), der, ""},
		"gzip":                         {holds(gz(der), 1), der, ""},
		"zlib":                         {holds(zl(der), 1), der, ""},
		"gzip that is called plain":    {holds(gz(der), 0), der, "it is compressed"},
		"zlib that is called plain":    {holds(zl(der), 0), der, "it is compressed"},
		"plain that is called gzip":    {holds(der, 1), der, "it is not compressed"},
		"zeros behind it":              {holds(append(bytes.Clone(der), zeros...), 0), der, "40 bytes follow"},
		"zeros behind it, called gzip": {holds(append(bytes.Clone(der), zeros...), 1), der, "40 bytes follow"},
		"zeros behind it in the gzip":  {holds(gz(append(bytes.Clone(der), zeros...)), 1), der, "40 bytes follow"},
		"zeros behind the elements":    {append(holds(der, 0), zeros...), der, ""},
		"no CertInfo":                  {holds(der), der, "no CertInfo"},
		"no CertInfo, gzip":            {holds(gz(der)), der, "no CertInfo"},
		"no element around it":         {der, der, "not within an element 70"},
		"nothing":                      {nil, nil, ""},
		"an empty element":             {holds(nil, 0), nil, ""},
		"gzip cut off":                 {holds(gz(der)[:20], 1), nil, ""},
		"neither, called gzip":         {holds([]byte("neither"), 1), nil, ""},
		"neither":                      {holds([]byte("neither"), 0), []byte("neither"), ""},
		"looks like zlib":              {holds([]byte("\x78\x9c is no zlib"), 0), []byte("\x78\x9c is no zlib"), ""},
		"a bomb that is called plain":  {holds(gz(make([]byte, 1<<20)), 0), gz(make([]byte, 1<<20)), ""},
	} {
		u, err := unwrap(tlv.New(0x53, c.content))
		if c.want == nil {
			if ckr.Of(err) != ckr.DeviceError {
				t.Errorf("%s: read %d bytes, %v", name, len(u.der), err)
			}
			continue
		}
		if err != nil || !bytes.Equal(u.der, c.want) {
			t.Errorf("%s: read %d bytes and not %d, %v", name, len(u.der), len(c.want), err)
		}
		if said := strings.Join(u.odd, "; "); c.odd == "" && said != "" || !strings.Contains(said, c.odd) {
			t.Errorf("%s: said %q", name, said)
		}
	}
}
