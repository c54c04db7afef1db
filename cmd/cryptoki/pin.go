package main

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/term"

	"github.com/go-cryptoki/cryptoki/token"
)

// Names of the environment's PINs.
const (
	envPIN   = "CRYPTOKI_PIN"
	envSOPIN = "CRYPTOKI_SO_PIN"
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
