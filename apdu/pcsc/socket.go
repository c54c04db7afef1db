//go:build !windows && !darwin && !pcsclite

package pcsc

// WithSocket says where pcscd listens, instead of PCSCLITE_CSOCK_NAME of the
// environment or the usual place.
func WithSocket(path string) Option { return func(p *Provider) { p.service = daemon{path} } }
