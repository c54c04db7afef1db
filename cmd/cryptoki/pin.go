package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/go-cryptoki/cryptoki/token"
)

// Names of the environment's PINs.
const (
	envPIN   = "CRYPTOKI_PIN"
	envSOPIN = "CRYPTOKI_SO_PIN"
	envPUK   = "CRYPTOKI_PUK"
	envNew   = "CRYPTOKI_NEW_PIN"
)

// pin finds a PIN: the flag's, the environment's, or one that is typed without
// echo. The caller clears it.
func (e *env) pin(given, variable, prompt string) (token.PIN, error) {
	if given == "" {
		given = os.Getenv(variable)
	}
	if given != "" {
		return token.NewPIN([]byte(given)), nil
	}
	if e.in == nil || !term.IsTerminal(int(e.in.Fd())) {
		return token.PIN{}, usagef("the %s is missing: give it as a flag, in %s, or on a terminal", prompt, variable)
	}
	fmt.Fprintf(e.err, "%s: ", prompt)
	typed, err := term.ReadPassword(int(e.in.Fd()))
	fmt.Fprintln(e.err)
	defer clear(typed)
	if err != nil {
		return token.PIN{}, fmt.Errorf("read the %s: %w", prompt, err)
	}
	return token.NewPIN(bytes.TrimRight(typed, "\r\n")), nil
}

// newPIN finds a PIN that replaces another; typed, it is typed twice.
func (e *env) newPIN(given string) (token.PIN, error) {
	typed := given == "" && os.Getenv(envNew) == ""
	first, err := e.pin(given, envNew, "new PIN")
	if err != nil || !typed {
		return first, err
	}
	second, err := e.pin("", envNew, "new PIN again")
	if err != nil {
		first.Clear()
		return token.PIN{}, err
	}
	defer second.Clear()
	if !bytes.Equal(first.Reveal(), second.Reveal()) {
		first.Clear()
		return token.PIN{}, errors.New("the two PINs differ")
	}
	return first, nil
}

// userPIN is the user's PIN of a token, or the one that is entered on the
// reader, if it has keys.
func (e *env) userPIN(given, prompt string, about token.Info) (token.PIN, error) {
	if given == "" && os.Getenv(envPIN) == "" && about.Flags.Has(token.FlagProtectedAuthPath) {
		fmt.Fprintln(e.err, "enter the PIN on the reader")
		return token.Pad(), nil
	}
	return e.pin(given, envPIN, prompt)
}

// isTerminal reports whether a person reads what is written to w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
