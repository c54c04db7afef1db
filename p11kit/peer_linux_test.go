package p11kit

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/go-cryptoki/cryptoki/internal/pcscdtest"
)

// A socket that was opened to everybody by mistake still serves its owner and
// the superuser only.
func TestOtherUsersAreRefused(t *testing.T) {
	if os.Getuid() != 0 {
		pcscdtest.Lacks(t, "the right to become another user")
	}
	path := startServer(t)
	dir := filepath.Dir(path)
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	self := filepath.Join(dir, "program") // where another user may run it
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(self, program, 0o755); err != nil {
		t.Fatal(err)
	}
	for uid, want := range map[uint32]int{0: 0, 65534: 4} {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), dialEnv+"="+path)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		err := cmd.Run()
		if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != want {
			t.Errorf("user %d: %v, want exit code %d", uid, err, want)
		}
	}
}
