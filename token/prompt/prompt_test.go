package prompt

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/token"
)

// The test's own program plays pinentry if it is called by that name.
func TestMain(m *testing.M) {
	if strings.HasPrefix(filepath.Base(os.Args[0]), "pinentry-") {
		playPinentry(strings.TrimSuffix(strings.TrimPrefix(filepath.Base(os.Args[0]), "pinentry-"), ".exe"))
		return
	}
	goleak.VerifyTestMain(m)
}

func playPinentry(how string) {
	if how == "dead" {
		return
	}
	fmt.Println("OK Pleased to meet you")
	lines := bufio.NewScanner(os.Stdin)
	seen := ""
	for lines.Scan() {
		line := lines.Text()
		seen += line + "\n"
		switch {
		case strings.HasPrefix(line, "OPTION"):
			fmt.Println("ERR 83886254 Unknown option <Pinentry>")
		case line != "GETPIN":
			fmt.Println("OK")
		case how == "closed":
			fmt.Println("ERR 83886179 Operation cancelled <Pinentry>")
		case how == "empty":
			fmt.Println("OK")
		case how == "hang":
			select {}
		default:
			if !strings.Contains(seen, "SETDESC PIN of the token \"100%25\"") || !strings.Contains(seen, "%0A2 tries left") {
				fmt.Println("ERR 1 wrong description: " + strings.ReplaceAll(seen, "\n", "|"))
				continue
			}
			fmt.Println("# a comment\nS PASSWORD_FROM_CACHE\nD 12%2534\nOK")
		}
	}
}

// program returns a copy of the test's program under another name.
func program(t *testing.T, how string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "pinentry-"+how)
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	b, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o700); err != nil {
		t.Fatal(err)
	}
	return name
}

var request = token.PINRequest{Role: token.User, Token: token.Info{Label: "100%"}, Tries: ckr.Tries{Left: 2, Known: true}}

func TestPinentryAsks(t *testing.T) {
	t.Setenv("GPG_TTY", "/dev/tty1")
	pin, err := Pinentry(program(t, "good"))(t.Context(), request)
	if err != nil || string(pin.Reveal()) != "12%34" {
		t.Errorf("%v", err)
	}
}

func TestPinentryThatGivesNoPIN(t *testing.T) {
	for _, how := range []string{"closed", "empty", "dead"} {
		_, err := Pinentry(program(t, how))(t.Context(), request)
		if ckr.Of(err) != ckr.FunctionCanceled {
			t.Errorf("%s: %v", how, err)
		}
	}
	if _, err := Pinentry("/nonexistent/pinentry")(t.Context(), request); ckr.Of(err) != ckr.FunctionCanceled {
		t.Errorf("no program: %v", err)
	}
}

func TestPinentryEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	name := program(t, "hang")
	done := make(chan error)
	go func() {
		_, err := Pinentry(name)(ctx, request)
		done <- err
	}()
	cancel()
	if err := <-done; ckr.Of(err) != ckr.FunctionCanceled {
		t.Error(err)
	}
}

func TestQuestionSaysWhatThePINIsFor(t *testing.T) {
	r := request
	r.Reason, r.Key = token.ReasonConsent, "signing"
	if q := question(r); !strings.Contains(q, `"signing"`) || !strings.Contains(q, "once") {
		t.Error(q)
	}
	r = request
	r.Role = token.SO
	if q := question(r); !strings.Contains(q, "Security officer") {
		t.Error(q)
	}
}

func TestTerminalNeedsOne(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := Terminal(f, os.Stderr)(t.Context(), request); ckr.Of(err) != ckr.FunctionCanceled {
		t.Error(err)
	}
}
