// Package stranger does what a newcomer does: it makes a new module, copies
// the first program of the README word for word, and runs it.
package stranger

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestFirstProgramOfTheReadmeRunsInANewModule(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	program := regexp.MustCompile("(?s)```go\n(package main\n.*?)```").FindSubmatch(readme)
	if program == nil {
		t.Fatal("the README has no program")
	}
	dir := t.TempDir()
	write := func(name string, content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("main.go", program[1])
	// The checkout stands for the published module; its own requirements and
	// sums are those that a download would bring.
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	const path = "github.com/go-cryptoki/cryptoki"
	own := strings.Replace(string(mod), "module "+path, "module example.com/stranger", 1)
	write("go.mod", []byte(own+"\nrequire "+path+" v0.0.0\nreplace "+path+" => "+filepath.ToSlash(root)+"\n"))
	write("go.sum", sum)

	cmd := exec.Command("go", "run", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=mod")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "verified") {
		t.Errorf("printed %s", out)
	}
}
