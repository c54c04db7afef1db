//go:build linux

package interop

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-cryptoki/cryptoki/internal/pcscdtest"
)

// inRoot runs a command of the root directory in the order of a shell, in a
// mount namespace of its own: Wine wants to see its processes.
const inRoot = `mount -t proc none "$1/proc" && root=$1 && shift && exec chroot "$root" "$@"`

func rootCommand(ctx context.Context, root string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", inRoot, "sh", root}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// TestWindowsUnderWine runs TestWindows as a program for Windows under Wine,
// whose winscard.dll hands on to a pcscd.
func TestWindowsUnderWine(t *testing.T) {
	root := os.Getenv(newerRoot)
	if root == "" || os.Getuid() != 0 {
		pcscdtest.Lacks(t, "programs of a later release, and the right to run them ("+newerRoot+")")
	}
	for _, name := range []string{"usr/bin/wine", "usr/sbin/pcscd", pcscdtest.Driver} {
		if _, err := os.Lstat(filepath.Join(root, name)); err != nil { // a link within that directory
			t.Fatal(err)
		}
	}
	dir, err := os.MkdirTemp(filepath.Join(root, "tmp"), "wine")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	inside := filepath.Join("/tmp", filepath.Base(dir))

	program := filepath.Join(dir, "interop.test.exe")
	build := exec.Command("go", "test", "-c", "-o", program, ".")
	build.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	vpcd := daemonIn(t, root, dir, inside, "Virtual PCD")
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	wine := rootCommand(ctx, root, "wine", filepath.Join(inside, "interop.test.exe"), "-test.run", "^TestWindows$", "-test.v")
	wine.Env = append(os.Environ(), "HOME="+inside, "WINEPREFIX="+filepath.Join(inside, "prefix"), "WINEDEBUG=-all",
		"INTEROP=require", vpcdAddress+"="+relay(t, vpcd), vpcdReader+"="+pcscdtest.Readers[0])
	wine.Dir = "/"
	out, err := wine.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	stop := rootCommand(context.Background(), root, "wineserver", "-k")
	stop.Env = wine.Env
	stop.Run()
}

// daemonIn runs the pcscd of a root directory until the test ends, and returns
// where its virtual reader waits for a card, to whose name pcscd adds numbers.
func daemonIn(t *testing.T, root, dir, inside, name string) string {
	t.Helper()
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	config := fmt.Sprintf("FRIENDLYNAME %q\nDEVICENAME /dev/null:0x%X\nLIBPATH %s\nCHANNELID 0x%X\n", name, port, pcscdtest.Driver, port)
	if err := os.WriteFile(filepath.Join(dir, "reader.conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(root, "run/pcscd")
	os.RemoveAll(socket)
	if err := os.MkdirAll(socket, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	pcscd := rootCommand(ctx, root, "pcscd", "--foreground", "--disable-polkit", "--config", filepath.Join(inside, "reader.conf"))
	if err := pcscd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		pcscd.Wait()
	})
	address := fmt.Sprintf("127.0.0.1:%d", port)
	pcscdtest.Eventually(t, "pcscd to listen", func() bool {
		_, err := os.Stat(filepath.Join(socket, "pcscd.comm"))
		return err == nil
	})
	return address
}

// relay hands connections on to vpcd and returns where to connect to. It
// acknowledges at once what vpcd sends in pieces, which the card cannot do on
// Windows, and would wait 40 ms for otherwise.
func relay(t *testing.T, vpcd string) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	all.Go(func() {
		for {
			card, err := l.Accept()
			if err != nil {
				return
			}
			reader, err := net.Dial("tcp4", vpcd)
			if err != nil {
				card.Close()
				continue
			}
			all.Go(func() {
				io.Copy(reader, card)
				reader.Close()
			})
			all.Go(func() {
				io.Copy(card, prompt{reader.(*net.TCPConn)})
				card.Close()
			})
		}
	})
	return l.Addr().String()
}

// prompt acknowledges what it reads at once.
type prompt struct{ c *net.TCPConn }

func (p prompt) Read(b []byte) (int, error) {
	if raw, err := p.c.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) {
			syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
		})
	}
	return p.c.Read(b)
}
