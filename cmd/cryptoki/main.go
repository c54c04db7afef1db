// Command cryptoki manages the tokens of smart cards and uses what is on them.
//
//	cryptoki [--card FILE] [--json] [--trace] COMMAND [ARGUMENTS]
//
// With --card it works on a virtual card kept in FILE, else on the readers of
// the machine. Tokens and objects are named by PKCS #11 URIs (RFC 7512);
// "pkcs11:" names the only one there is. cryptoki --help lists the commands,
// and cryptoki COMMAND --help shows an example of one.
//
// A PIN that is not given as a flag comes from the environment, CRYPTOKI_PIN,
// CRYPTOKI_SO_PIN and CRYPTOKI_PUK, or is asked for on the terminal. The exit
// status is 0, 1 if the command failed, and 2 if it was called wrongly.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// usageError is a call that cannot be carried out as it is.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// env is what a command works with.
type env struct {
	card  string
	json  bool
	trace bool
	in    *os.File
	out   io.Writer
	err   io.Writer
}

// command is one of the program's commands.
type command struct {
	name, args, what string
	example          string
	run              func(ctx context.Context, e *env, args []string) error
}

func commands() []command {
	return []command{
		{"slots", "", "list the slots and their tokens", "cryptoki slots", listSlots},
		{"token", "[--mechanisms] [URI]", "describe a token", "cryptoki token --mechanisms pkcs11:token=demo", showToken},
		{"objects", "[--login] [--pin P] [URI]", "list the objects of a token", "cryptoki objects --login 'pkcs11:token=demo;type=private'", listObjects},
		{"init", "--label L [--so-pin S] [--pin P] [URI]", "make a token on the card; what was on it is lost", "cryptoki --card my.card init --label demo", initToken},
		{"pin", "set|change|unblock [--so] [--so-pin S] [--pin P] [--puk K] [--new N] [URI]",
			"set the user's PIN as the security officer, change a PIN, or unblock the user's with the PUK", "cryptoki pin change pkcs11:token=demo", changePIN},
		{"keygen", "--type T [--label L] [--id HEX] [--usage sign,decrypt,derive,unwrap] [--always] [--pin P] [URI]",
			"generate a key pair: rsa2048, rsa3072, rsa4096, p256, p384, p521", "cryptoki keygen --type p256 --label signing pkcs11:token=demo", keygen},
		{"import", "FILE [--label L] [--id HEX] [--password W] [--pin P] [URI]",
			"store certificates and private keys from PEM, DER or PKCS #12", "cryptoki import server.p12 --label server pkcs11:token=demo", importFile},
		{"export", "[--der] [--out FILE] URI", "write a certificate or a public key", "cryptoki export 'pkcs11:object=signing;type=public' > signing.pem", export},
		{"csr", "--subject DN [--dns NAME,…] [--out FILE] [--pin P] URI", "make a certificate request", "cryptoki csr --subject CN=host.example --dns host.example pkcs11:object=server", csr},
		{"sign", "[--hash H] [--pss] [--in FILE] [--out FILE] [--pin P] URI", "sign a file or the standard input", "cryptoki sign --in message --out signature pkcs11:object=signing", sign},
		{"verify", "[--hash H] [--pss] [--in FILE] --signature FILE URI", "verify a signature; no PIN is needed", "cryptoki verify --in message --signature signature pkcs11:object=signing", verify},
		{"encrypt", "[--oaep H] [--in FILE] [--out FILE] URI", "encrypt with an RSA key; no PIN is needed", "cryptoki encrypt --oaep sha256 --in secret --out sealed pkcs11:object=mail", encrypt},
		{"decrypt", "[--oaep H] [--in FILE] [--out FILE] [--pin P] URI", "decrypt with an RSA key", "cryptoki decrypt --oaep sha256 --in sealed pkcs11:object=mail", decrypt},
		{"derive", "--peer FILE [--out FILE] [--pin P] URI", "agree on a secret with somebody's public key (ECDH)", "cryptoki derive --peer theirs.pem pkcs11:object=agreement", derive},
		{"wrap", "--with URI --mechanism M [--out FILE] [--pin P] URI", "write a key that may leave the token, encrypted by another of its keys",
			"cryptoki wrap --with 'pkcs11:object=archive;type=secret-key' --mechanism aes-kwp --out key.wrapped pkcs11:object=old", wrap},
		{"unwrap", "--with URI --mechanism M --type aes|rsa|ec [--label L] [--id HEX] [--in FILE] [--pin P]", "store a key that comes encrypted for one of the token's",
			"cryptoki unwrap --with pkcs11:object=mail --mechanism oaep-sha256 --type aes --label archive --in key.wrapped", unwrap},
		{"delete", "[--pin P] URI", "destroy one object", "cryptoki delete 'pkcs11:object=old;type=cert'", destroy},
		{"random", "[--out FILE] N [URI]", "print random bytes of the token", "cryptoki random 32", random},
		{"check", "[--reader NAME] [--issuers FILE] [--at DATE] [--login] [--pin P]",
			"tell what is wrong with a PIV card: tampered, expired, missing, or not belonging together", "cryptoki check --issuers authorities.pem", checkCard},
		{"watch", "", "print readers and cards as they come and go, until interrupted", "cryptoki watch", watch},
		{"apdu", "[--reader NAME] HEX…", "send commands to the card as they are and explain the answers", "cryptoki apdu 00A4040C", sendAPDUs},
		{"serve", "[--socket PATH] [--legacy]", "serve the tokens to programs in C until interrupted (p11-kit-client.so)", "cryptoki serve --socket /run/user/1000/cryptoki", serve},
		{"plug", "[--vpcd HOST:PORT]", "put the virtual card into the vpcd reader of pcscd until interrupted", "cryptoki --card my.card plug", plug},
		{"completion", "bash|zsh|fish", "print the completion for a shell", "source <(cryptoki completion bash)", completion},
	}
}

// run is main without the process.
func run(ctx context.Context, args []string, in *os.File, out, errOut io.Writer) int {
	e := &env{in: in, out: out, err: errOut}
	err := e.dispatch(ctx, args)
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintf(errOut, "cryptoki: %v\n", err)
		return exitUsage
	}
	fmt.Fprintf(errOut, "cryptoki: %v\n", err)
	return exitFailed
}

func (e *env) dispatch(ctx context.Context, args []string) error {
	flags := e.flags("cryptoki")
	if err := parse(flags, args); errors.Is(err, flag.ErrHelp) {
		printUsage(e.out)
		return nil
	} else if err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return usagef("no command given; try cryptoki --help")
	}
	name, rest := flags.Arg(0), flags.Args()[1:]
	for _, c := range commands() {
		if c.name != name {
			continue
		}
		err := c.run(ctx, e, rest)
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintf(e.out, "usage: cryptoki %s %s\n\n%s\n\n  $ %s\n", c.name, c.args, c.what, c.example)
			return nil
		}
		return err
	}
	return usagef("there is no command %q; try cryptoki --help", name)
}

// flags returns a flag set with the flags that every command takes, before or
// after its name.
func (e *env) flags(name string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	f.StringVar(&e.card, "card", e.card, "")
	f.BoolVar(&e.json, "json", e.json, "")
	f.BoolVar(&e.trace, "trace", e.trace, "")
	return f
}

// parse reads flags; what is wrong with them is a usage error.
func parse(f *flag.FlagSet, args []string) error {
	err := f.Parse(args)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return err
	}
	return usageError{err}
}

// parseAll reads the flags of a command and what stands between them and after
// them, of which there are min to max.
func parseAll(f *flag.FlagSet, args []string, min, max int) (rest []string, err error) {
	for {
		if err := parse(f, args); err != nil {
			return nil, err
		}
		if f.NArg() == 0 {
			break
		}
		rest, args = append(rest, f.Arg(0)), f.Args()[1:]
	}
	switch {
	case len(rest) > max:
		return nil, usagef("%s takes no argument %q; try cryptoki %s --help", f.Name(), rest[max], f.Name())
	case len(rest) < min:
		return nil, usagef("%s lacks an argument; try cryptoki %s --help", f.Name(), f.Name())
	}
	return rest, nil
}

// parseURI reads the flags of a command whose only argument is a URI, which
// may be left out.
func parseURI(f *flag.FlagSet, args []string) (string, error) {
	rest, err := parseAll(f, args, 0, 1)
	if err != nil {
		return "", err
	}
	return uriAt(rest, 0), nil
}

// uriAt is the argument at a place, which may be left out.
func uriAt(rest []string, i int) string {
	if i < len(rest) {
		return rest[i]
	}
	return anything
}

// anything is the URI that everything fits.
const anything = "pkcs11:"

func printUsage(w io.Writer) {
	fmt.Fprint(w, "usage: cryptoki [--card FILE] [--json] [--trace] COMMAND [ARGUMENTS]\n\n"+
		"  --card FILE  work on a virtual card kept in FILE, instead of the readers of the machine\n"+
		"  --json       print for machines\n"+
		"  --trace      print the commands to the card and its answers; secrets are left out\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-10s %s\n", c.name, c.what)
	}
	fmt.Fprint(w, "\nURI is a PKCS #11 URI, as pkcs11:token=demo;object=signing;type=private. A PIN that is no flag\n"+
		"comes from CRYPTOKI_PIN, CRYPTOKI_SO_PIN or CRYPTOKI_PUK, or is asked for.\n"+
		"cryptoki COMMAND --help shows the arguments of a command and an example.\n")
}
