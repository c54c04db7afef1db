module github.com/go-cryptoki/cryptoki/internal/interop/pivgo

go 1.26.0

require (
	github.com/go-cryptoki/cryptoki v0.0.0
	github.com/go-piv/piv-go/v2 v2.6.0
)

require (
	go.etcd.io/bbolt v1.5.0 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/go-cryptoki/cryptoki => ../../..
