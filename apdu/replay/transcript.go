package replay

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Bounds of a transcript that is read.
const (
	maxLine      = 1 << 20 // bytes
	maxExchanges = 1 << 20
)

// Hex is bytes that are hexadecimal in JSON.
type Hex []byte

// MarshalText writes lower case digits.
func (h Hex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

// UnmarshalText reads digits of either case. No digits are no bytes, which is
// not the same as nothing.
func (h *Hex) UnmarshalText(text []byte) (err error) {
	*h, err = hex.AppendDecode(Hex{}, text)
	return err
}

// Head is the first line of a transcript.
type Head struct {
	Card             string `json:"card,omitempty"`
	Client           string `json:"client,omitempty"`
	Operation        string `json:"operation,omitempty"`
	ATR              Hex    `json:"atr,omitempty"`
	CardSource       string `json:"card_source,omitempty"`
	ClientExitStatus *int   `json:"client_exit_status,omitempty"`
	ClientVersion    string `json:"client_version,omitempty"`
	Command          string `json:"command,omitempty"` // command line of the client
	Exchanges        int    `json:"exchanges,omitempty"`
	Reader           string `json:"reader,omitempty"`
	// Resets are the exchanges, counted from 0, before which the card was
	// reset.
	Resets []int `json:"resets_before_exchange,omitempty"`
}

// Exchange is one command and what came of it.
type Exchange struct {
	Command  Hex `json:"c"`
	Response Hex `json:"r,omitzero"`
	// Hidden tells that the data of the command are not the real ones.
	Hidden bool `json:"hidden,omitempty"`
	// Error is the kind of error that came in place of a response: "removed",
	// "reset", "link" or "cut", for a caller that did not wait.
	Error string `json:"error,omitempty"`
}

// Transcript is a head and the exchanges in their order.
type Transcript struct {
	Head      Head
	Exchanges []Exchange
}

// Read reads a transcript. Fields it does not know are left out.
func Read(r io.Reader) (*Transcript, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	t := &Transcript{}
	n, headed := 0, false
	for lines.Scan() {
		n++
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		var err error
		if !headed {
			headed = true
			err = json.Unmarshal(line, &t.Head)
		} else {
			err = t.add(line)
		}
		if err != nil {
			return nil, fmt.Errorf("transcript: line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("transcript: line %d: %w", n+1, err)
	}
	if !headed {
		return nil, errors.New("transcript: empty")
	}
	return t, nil
}

func (t *Transcript) add(line []byte) error {
	if len(t.Exchanges) == maxExchanges {
		return errors.New("too many exchanges")
	}
	var e Exchange
	if err := json.Unmarshal(line, &e); err != nil {
		return err
	}
	if len(e.Command) == 0 {
		return errors.New("no command")
	}
	if e.Response == nil && e.Error == "" {
		return errors.New("no response")
	}
	t.Exchanges = append(t.Exchanges, e)
	return nil
}

// ReadFile reads the transcript in a file.
func ReadFile(name string) (*Transcript, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return t, nil
}

// Write writes a transcript; the number of exchanges in its head is set.
func Write(w io.Writer, t *Transcript) error {
	head := t.Head
	head.Exchanges = len(t.Exchanges)
	out := bufio.NewWriter(w)
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	if err := lines.Encode(head); err != nil {
		return fmt.Errorf("transcript: %w", err)
	}
	for _, e := range t.Exchanges {
		if err := lines.Encode(e); err != nil {
			return fmt.Errorf("transcript: %w", err)
		}
	}
	return out.Flush()
}
