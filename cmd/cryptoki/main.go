// Command cryptoki manages the tokens of smart cards.
//
//	cryptoki [--card FILE] [--json] COMMAND [FLAGS]
//
// With --card it works on a virtual card kept in FILE. Commands:
//
//	init    make a token: --label L [--so-pin S] [--pin P]
//	slots   list the slots and their tokens
//	objects list the objects of the token: [--login] [--pin P]
//	serve   serve the tokens to programs in C over p11-kit's protocol: [--socket PATH]
//	plug    put the virtual card into the vpcd reader of pcscd: [--vpcd HOST:PORT]
//
// A PIN that is not given as a flag comes from the environment, CRYPTOKI_PIN
// and CRYPTOKI_SO_PIN, or is asked for on the terminal. The exit status is 0,
// 1 if the command failed, and 2 if it was called wrongly.
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
	card string
	json bool
	in   *os.File
	out  io.Writer
	err  io.Writer
}

// command is one of the program's commands.
type command struct {
	name, args, what string
	run              func(ctx context.Context, e *env, args []string) error
}

func commands() []command {
	return []command{
		{"init", "--label L [--so-pin S] [--pin P]", "make a token on the card; what was on it is lost", initToken},
		{"slots", "", "list the slots and their tokens", listSlots},
		{"objects", "[--slot ID] [--login] [--pin P]", "list the objects of a token", listObjects},
		{"serve", "[--socket PATH]", "serve the tokens to programs in C until interrupted (p11-kit-client.so)", serve},
		{"plug", "[--vpcd HOST:PORT]", "put the virtual card into the vpcd reader of pcscd until interrupted", plug},
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
	case errors.Is(err, flag.ErrHelp):
		printUsage(out)
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
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return usagef("no command given; try cryptoki --help")
	}
	name, rest := flags.Arg(0), flags.Args()[1:]
	for _, c := range commands() {
		if c.name == name {
			return c.run(ctx, e, rest)
		}
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

// parseAll reads the flags of a command, which takes no other arguments.
func parseAll(f *flag.FlagSet, args []string) error {
	if err := parse(f, args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return usagef("%s takes no argument %q", f.Name(), f.Arg(0))
	}
	return nil
}

func printUsage(w io.Writer) {
	fmt.Fprint(w, "usage: cryptoki [--card FILE] [--json] COMMAND [FLAGS]\n\n"+
		"  --card FILE  work on a virtual card kept in FILE\n"+
		"  --json       print for machines\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-8s %s\n           %s\n", c.name, c.args, c.what)
	}
	fmt.Fprint(w, "\nA PIN that is no flag comes from CRYPTOKI_PIN or CRYPTOKI_SO_PIN, or is asked for.\n")
}
