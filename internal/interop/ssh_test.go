package interop

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-cryptoki/cryptoki/internal/pcscdtest"
)

// ssh logs in to a real sshd with the keys of a card, through the agent of
// examples/sshagent.
func TestSSHLogsInWithKeysOfACard(t *testing.T) {
	sshd := needSSH(t)
	dir := t.TempDir()
	agent := filepath.Join(dir, "sshagent")
	run(t, "go", "build", "-o", agent, "../../examples/sshagent")
	socket := startAgent(t, agent, filepath.Join(dir, "socket"))
	ssh := func(name string, args ...string) (string, error) {
		cmd := exec.Command(name, args...)
		cmd.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}

	listed, err := ssh("ssh-add", "-l")
	if err != nil {
		t.Fatalf("ssh-add -l: %v\n%s", err, listed)
	}
	contains(t, listed, "(RSA)", "(ECDSA)", "2048 SHA256:", "256 SHA256:")
	keys, err := ssh("ssh-add", "-L")
	if err != nil {
		t.Fatalf("ssh-add -L: %v", err)
	}
	port := startSSHD(t, sshd, dir, keys)
	for i, line := range strings.Split(strings.TrimSpace(keys), "\n") {
		one := file(t, fmt.Sprintf("key%d.pub", i), []byte(line+"\n"))
		out, err := ssh("ssh", "-F", "none", "-p", port, "-i", one, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
			"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "127.0.0.1", "echo", "logged in")
		if err != nil || !strings.Contains(out, "logged in") {
			t.Errorf("%s: %v\n%s", strings.Fields(line)[0], err, out)
		}
	}
}

func needSSH(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"ssh", "ssh-add", "ssh-keygen", "go"} {
		if _, err := exec.LookPath(tool); err != nil {
			pcscdtest.Lacks(t, tool+" (install openssh-client)")
		}
	}
	for _, path := range []string{"/usr/sbin/sshd", "/usr/local/sbin/sshd"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	pcscdtest.Lacks(t, "sshd (install openssh-server)")
	return ""
}

// startAgent starts the example and returns its socket.
func startAgent(t *testing.T, agent, socket string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, agent, socket)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.HasPrefix(line, "SSH_AUTH_SOCK=") {
		t.Fatalf("the agent printed %q, %v", line, err)
	}
	return socket
}

// startSSHD starts a server of the test's own and returns its port.
func startSSHD(t *testing.T, sshd, dir, keys string) string {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	hostKey := filepath.Join(dir, "host")
	run(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", hostKey)
	authorized := file(t, "authorized_keys", []byte(keys))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	config := file(t, "sshd_config", fmt.Appendf(nil, "ListenAddress 127.0.0.1:%s\nHostKey %s\nAuthorizedKeysFile %s\nStrictModes no\n"+
		"UsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\nPidFile none\nAllowUsers %s\n", port, hostKey, authorized, me.Username))
	os.MkdirAll("/run/sshd", 0o755) // where Debian's sshd separates privileges
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, sshd, "-D", "-e", "-f", config)
	log, err := os.Create(filepath.Join(dir, "sshd.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		cmd.Wait()
		log.Close()
		if t.Failed() {
			t.Logf("sshd said:\n%s", read(t, log.Name()))
		}
	})
	waitFor(t, "sshd to listen", func() bool {
		c, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return port
}
