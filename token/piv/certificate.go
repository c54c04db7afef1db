package piv

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/x509"
	"errors"
	"io"
	"math/big"

	"github.com/go-cryptoki/cryptoki/apdu/tlv"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
)

// Elements of a certificate object, SP 800-73-5 part 1 table 10.
const (
	tagCertificate tlv.Tag = 0x70
	tagCertInfo    tlv.Tag = 0x71
	tagErrorCode   tlv.Tag = 0xFE

	compressed = 0x01
)

// maxCertificate bounds what a compressed certificate may become, in bytes.
const maxCertificate = 64 << 10

// unwrapCertificate takes the certificate out of its object, expanded if it is
// compressed. Errors: ckr.DeviceError.
func unwrapCertificate(raw []byte) ([]byte, error) {
	inner, err := tlv.Find(raw, 0x53)
	if err != nil {
		return nil, damaged(err)
	}
	v, err := tlv.Find(inner, tagCertificate)
	if err != nil || len(v) == 0 {
		return nil, damaged(errors.Join(err, errors.New("it holds no certificate")))
	}
	if info, err := tlv.Find(inner, tagCertInfo); err != nil || len(info) == 0 || info[0]&compressed == 0 {
		return bytes.Clone(v), nil
	}
	out, err := expand(v)
	if err != nil {
		return nil, damaged(err)
	}
	return out, nil
}

func damaged(err error) error { return ckr.New(ckr.DeviceError, "certificate object", err) }

// expand takes gzip, which the standard has, and zlib, which is found as well.
// What follows the stream is not looked at.
func expand(b []byte) ([]byte, error) {
	var r io.ReadCloser
	var err error
	if bytes.HasPrefix(b, []byte{0x1F, 0x8B}) {
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(b)); err == nil {
			z.Multistream(false)
			r = z
		}
	} else {
		r, err = zlib.NewReader(bytes.NewReader(b))
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	out, err := io.ReadAll(io.LimitReader(r, maxCertificate+1))
	if err != nil {
		return nil, err
	}
	if len(out) > maxCertificate {
		return nil, errors.New("it expands to more than a certificate has")
	}
	return out, nil
}

// wrapCertificate makes the content of a certificate object, compressed if it
// would be longer than max bytes otherwise.
func wrapCertificate(der []byte, max int) []byte {
	info := byte(0)
	if len(der) > max {
		var b bytes.Buffer
		z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
		z.Write(der)
		z.Close()
		der, info = b.Bytes(), compressed
	}
	return bytes.Join([][]byte{tlv.New(tagCertificate, der), tlv.New(tagCertInfo, []byte{info}), tlv.New(tagErrorCode)}, nil)
}

// certificateView is what a certificate tells. One that crypto/x509 does not
// understand still has its value.
func certificateView(der []byte) object.Template {
	t := object.Template{object.AttrValue.Is(der)}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return t
	}
	return append(t, object.AttrSubject.Is(c.RawSubject), object.AttrIssuer.Is(c.RawIssuer),
		object.AttrSerialNumber.Is(serialDER(c.SerialNumber)), object.AttrPublicKeyInfo.Is(c.RawSubjectPublicKeyInfo))
}

// serialDER is CKA_SERIAL_NUMBER: a DER INTEGER.
func serialDER(n *big.Int) []byte {
	b := n.Bytes()
	if len(b) == 0 || b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	return tlv.New(0x02, b)
}
