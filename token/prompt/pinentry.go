package prompt

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/token"
)

// Pinentry returns a PINFunc that runs a pinentry program, by its name or
// path, "pinentry" if that is empty, and asks through it, as gpg does (the
// Assuan protocol). A person who closes the dialog is ckr.FunctionCanceled. A
// cancelled context ends the program.
func Pinentry(program string) token.PINFunc {
	if program == "" {
		program = "pinentry"
	}
	return func(ctx context.Context, r token.PINRequest) (pin token.PIN, err error) {
		cmd := exec.CommandContext(ctx, program)
		in, err := cmd.StdinPipe()
		if err != nil {
			return pin, canceled(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return pin, canceled(err)
		}
		if err := cmd.Start(); err != nil {
			return pin, canceled(err)
		}
		defer cmd.Wait()
		defer in.Close()
		a := &assuan{w: in, r: bufio.NewReaderSize(out, maxLine)}
		pin, err = a.ask(r)
		if ctx.Err() != nil {
			pin.Clear()
			return token.PIN{}, ckr.New(ckr.FunctionCanceled, "ask for the PIN", ctx.Err())
		}
		return pin, err
	}
}

// maxLine is the longest line of the Assuan protocol, and some more.
const maxLine = 2048

// assuan is the client's side of the protocol.
type assuan struct {
	w io.Writer
	r *bufio.Reader
}

// gpgCanceled is the error code of a dialog that was closed: the low 16 bits
// of what ERR says (GPG_ERR_CANCELED).
const gpgCanceled = 99

func (a *assuan) ask(r token.PINRequest) (token.PIN, error) {
	if _, err := a.answer(); err != nil { // the greeting
		return token.PIN{}, canceled(err)
	}
	if tty := os.Getenv("GPG_TTY"); tty != "" {
		a.do("OPTION ttyname=" + escape(tty)) // older programs refuse options that they do not know
	}
	desc := question(r)
	if w := warning(r); w != "" {
		desc += "\n" + w
	}
	for _, line := range []string{"SETTITLE cryptoki", "SETDESC " + escape(desc), "SETPROMPT PIN:"} {
		if _, err := a.do(line); err != nil {
			return token.PIN{}, canceled(err)
		}
	}
	data, err := a.do("GETPIN")
	defer clear(data)
	if err != nil {
		return token.PIN{}, canceled(err)
	}
	io.WriteString(a.w, "BYE\n")
	if len(data) == 0 {
		return token.PIN{}, canceled(errors.New("nothing was typed"))
	}
	return token.NewPIN(data), nil
}

// do sends a command and returns the data of its answer.
func (a *assuan) do(line string) ([]byte, error) {
	if _, err := io.WriteString(a.w, line+"\n"); err != nil {
		return nil, err
	}
	return a.answer()
}

// answer reads lines up to OK or ERR. The caller clears the data.
func (a *assuan) answer() (data []byte, err error) {
	for {
		line, err := a.r.ReadSlice('\n')
		if err != nil {
			clear(data)
			return nil, fmt.Errorf("pinentry: %w", err)
		}
		line = bytes.TrimRight(line, "\r\n")
		word, rest, _ := bytes.Cut(line, []byte(" "))
		switch string(word) {
		case "OK":
			clear(line)
			return data, nil
		case "ERR":
			clear(data)
			return nil, failure(string(rest))
		case "D":
			data = unescape(data, rest)
			clear(line)
			if len(data) > maxLine {
				clear(data)
				return nil, errors.New("pinentry: the answer is too long")
			}
		}
	}
}

func failure(s string) error {
	code, text, _ := strings.Cut(s, " ")
	if n, err := strconv.ParseUint(code, 10, 32); err == nil && n&0xFFFF == gpgCanceled {
		return errors.New("the dialog was closed")
	}
	return fmt.Errorf("pinentry: %s", text)
}

// escape writes what a line cannot hold as percent and two hex digits.
func escape(s string) string {
	return strings.NewReplacer("%", "%25", "\n", "%0A", "\r", "%0D").Replace(s)
}

// unescape appends the bytes of a D line.
func unescape(out, line []byte) []byte {
	for i := 0; i < len(line); i++ {
		if line[i] == '%' && i+2 < len(line) {
			if n, err := strconv.ParseUint(string(line[i+1:i+3]), 16, 8); err == nil {
				out = append(out, byte(n))
				i += 2
				continue
			}
		}
		out = append(out, line[i])
	}
	return out
}
