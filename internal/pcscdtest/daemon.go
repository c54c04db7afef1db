//go:build linux

package pcscdtest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

// Daemon is a pcscd.
type Daemon struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	port   int
	config string
	log    string
}

// Readers are the names of the two readers.
var Readers = [2]string{"Virtual PCD 00 00", "Virtual PCD 00 01"}

// script runs in the namespace and does as it is told, line by line. It ends,
// and the daemon with it, when the test is gone.
const script = `
mount -t tmpfs none "$1" || exit 1
echo ready
while read -r command; do
	case $command in
	start)
		rm -f "$1"/*
		pcscd --foreground --config "$2" >>"$3" 2>&1 &
		pid=$!
		echo started
		;;
	stop)
		kill -STOP $pid
		while grep -q "^State:.[^T]" /proc/$pid/task/*/status; do :; done
		echo stopped
		;;
	continue)
		kill -CONT $pid
		echo continued
		;;
	kill)
		kill -KILL $pid
		wait $pid 2>/dev/null
		echo killed
		;;
	esac
done
kill -KILL $pid 2>/dev/null
`

const directory = "/run/pcscd"

// Driver is vpcd's driver for pcscd.
const Driver = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"

// Need skips the test, or fails it where the environment demands the tools.
func Need(t testing.TB, tools ...string) {
	t.Helper()
	var missing []string
	for _, tool := range append(tools, "pcscd") {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, tool)
		}
	}
	if _, err := os.Stat(Driver); err != nil {
		missing = append(missing, "vpcd")
	}
	if len(missing) > 0 {
		Lacks(t, strings.Join(missing, ", "))
	}
}

// Start runs a daemon until the test ends.
func Start(t testing.TB) *Daemon { return StartAs(t, "Virtual PCD") }

// StartAs is Start with readers of another name, to which pcscd adds " 00 00"
// and " 00 01": there are programs that go by it.
func StartAs(t testing.TB, name string) *Daemon {
	t.Helper()
	Need(t)
	dir := t.TempDir()
	d := &Daemon{config: filepath.Join(dir, "reader.conf"), log: filepath.Join(dir, "log"), port: freePorts(t)}
	os.MkdirAll(directory, 0o755) // or it is there
	config := fmt.Sprintf("FRIENDLYNAME %q\nDEVICENAME /dev/null:0x%X\nLIBPATH %s\nCHANNELID 0x%X\n", name, d.port, Driver, d.port)
	if err := os.WriteFile(d.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	d.cmd = exec.Command("sh", "-c", script, "pcscdtest", directory, d.config, d.log)
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	d.cmd.Stderr = os.Stderr
	d.in, _ = d.cmd.StdinPipe()
	out, _ := d.cmd.StdoutPipe()
	d.out = bufio.NewReader(out)
	const right = "the right to make a mount namespace"
	if err := d.cmd.Start(); err != nil {
		Lacks(t, right)
	}
	t.Cleanup(func() {
		d.in.Close()
		d.cmd.Wait()
		if t.Failed() {
			log, _ := os.ReadFile(d.log)
			t.Logf("pcscd said:\n%s", log)
		}
	})
	if _, err := d.out.ReadString('\n'); err != nil {
		Lacks(t, right)
	}
	d.Run(t)
	return d
}

// freePorts returns a port that is free, as is the next.
func freePorts(t testing.TB) int {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp4", "0.0.0.0:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		next, err := net.Listen("tcp4", fmt.Sprintf("0.0.0.0:%d", port+1))
		l.Close()
		if err == nil {
			next.Close()
			return port
		}
	}
	t.Fatal("no two free ports in a row")
	return 0
}

// Socket is where the daemon listens, as seen from outside its namespace.
func (d *Daemon) Socket() string {
	return fmt.Sprintf("/proc/%d/root%s/pcscd.comm", d.cmd.Process.Pid, directory)
}

// Port is where a reader of vpcd waits for its card.
func (d *Daemon) Port(reader int) string { return fmt.Sprintf("127.0.0.1:%d", d.port+reader) }

// Run starts the daemon after Kill and waits until it listens.
func (d *Daemon) Run(t testing.TB) {
	t.Helper()
	d.tell(t, "start")
	Eventually(t, "pcscd to listen", func() bool {
		c, err := net.Dial("unix", d.Socket())
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
}

// Kill kills the daemon, without a chance to clean up.
func (d *Daemon) Kill(t testing.TB) { d.tell(t, "kill") }

// Stop has the daemon hang until Continue.
func (d *Daemon) Stop(t testing.TB) { d.tell(t, "stop") }

// Continue ends Stop.
func (d *Daemon) Continue(t testing.TB) { d.tell(t, "continue") }

func (d *Daemon) tell(t testing.TB, command string) {
	t.Helper()
	if _, err := fmt.Fprintln(d.in, command); err != nil {
		t.Fatal(err)
	}
	if _, err := d.out.ReadString('\n'); err != nil {
		t.Fatalf("%s pcscd: %v", command, err)
	}
}

// Plug puts a card into a reader. The function takes it out; so does the end of
// the test.
func (d *Daemon) Plug(t testing.TB, reader int, card *virtual.Card) (unplug func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		// The daemon may be killed and come again under the card.
		for ctx.Err() == nil {
			card.Plug(ctx, d.Port(reader))
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	unplug = func() {
		cancel()
		<-ended
	}
	t.Cleanup(unplug)
	return unplug
}

// Eventually asks until it is so.
func Eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
