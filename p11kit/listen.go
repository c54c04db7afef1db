package p11kit

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
)

// Listener is a socket that only this user reaches.
type Listener struct {
	*net.UnixListener
	path string
	dir  string // made for the socket, or empty
}

// Listen makes a Unix socket. With an empty path it lies in a new directory
// that only this user may enter; otherwise the directory is the caller's. A
// socket that nobody listens to any more is replaced, anything else under the
// path is an error.
func Listen(path string) (*Listener, error) {
	l := &Listener{path: path}
	if path == "" {
		dir, err := os.MkdirTemp("", "cryptoki-p11kit")
		if err != nil {
			return nil, err
		}
		l.dir, l.path = dir, filepath.Join(dir, "socket")
	} else if err := removeStale(path); err != nil {
		return nil, err
	}
	u, err := listenPrivately(l.path)
	if err != nil {
		l.removeDir()
		return nil, fmt.Errorf("p11kit: listen: %w", err)
	}
	l.UnixListener = u
	return l, nil
}

// removeStale removes a socket without a listener.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("p11kit: %s is there and is no socket", path)
	}
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return fmt.Errorf("p11kit: another server listens on %s", path)
	}
	return os.Remove(path)
}

// listenPrivately makes the socket in a directory of its own and moves it when
// its mode is set, so that nobody else connects before that.
func listenPrivately(path string) (*net.UnixListener, error) {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".p11")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	made := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // it would look for the old name
	if err = os.Chmod(made, 0o600); err == nil {
		err = os.Rename(made, path)
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// Address is the value of P11_KIT_SERVER_ADDRESS for clients.
func (l *Listener) Address() string { return "unix:path=" + l.path }

// Close stops listening and removes the socket.
func (l *Listener) Close() error {
	err := l.UnixListener.Close()
	if err == nil { // not closed before
		os.Remove(l.path)
		l.removeDir()
	}
	return err
}

func (l *Listener) removeDir() {
	if l.dir != "" {
		os.RemoveAll(l.dir)
	}
}
