// Tlsserver serves HTTPS with a key of a card to a client that authenticates
// itself with another one: mutual TLS, and no private key in memory.
//
//	go run ./examples/tlsserver                                          # a virtual card
//	go run ./examples/tlsserver 'pkcs11:object=server' 'pkcs11:object=me' # cards in readers
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/go-cryptoki/cryptoki/examples/internal/demo"
)

func main() {
	log.SetFlags(0)
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	m, serverURI, err := demo.Open(ctx, args, demo.RSA)
	if err != nil {
		return err
	}
	defer m.Close()
	clientURI := demo.URI(demo.Client)
	if len(args) > 1 {
		clientURI = args[1]
	}
	server, err := m.TLSCertificate(ctx, serverURI)
	if err != nil {
		return err
	}
	client, err := m.TLSCertificate(ctx, clientURI)
	if err != nil {
		return err
	}
	roots := rootsOf(server, client)

	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots,
	})
	if err != nil {
		return err
	}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s, this is %s", r.TLS.PeerCertificates[0].Subject.CommonName, server.Leaf.Subject.CommonName)
	}))
	defer l.Close()
	return get(ctx, l.Addr(), &tls.Config{Certificates: []tls.Certificate{client}, RootCAs: roots}, out)
}

// rootsOf trusts the last certificate of each chain.
func rootsOf(certs ...tls.Certificate) *x509.CertPool {
	roots := x509.NewCertPool()
	for _, c := range certs {
		if root, err := x509.ParseCertificate(c.Certificate[len(c.Certificate)-1]); err == nil {
			roots.AddCert(root)
		}
	}
	return roots
}

func get(ctx context.Context, addr net.Addr, config *tls.Config, out io.Writer) error {
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
	defer c.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+addr.String(), nil)
	if err != nil {
		return err
	}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s, %s: %s\n", tls.VersionName(resp.TLS.Version), tls.CipherSuiteName(resp.TLS.CipherSuite), body)
	return nil
}
