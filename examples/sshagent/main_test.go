package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

func TestAgentListsAndSigns(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	socket := filepath.Join(t.TempDir(), "agent")
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{socket}, w) }()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "SSH_AUTH_SOCK="+socket) {
		t.Fatalf("printed %q, %v", line, err)
	}
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	a := agent.NewClient(c)
	keys, err := a.List()
	if err != nil || len(keys) != 4 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	for _, k := range keys {
		flags := []agent.SignatureFlags{0}
		if k.Type() == ssh.KeyAlgoRSA {
			flags = []agent.SignatureFlags{agent.SignatureFlagRsaSha256, agent.SignatureFlagRsaSha512}
		}
		for _, f := range flags {
			sig, err := a.SignWithFlags(k, []byte("challenge"), f)
			if err != nil {
				t.Fatal(err)
			}
			pub, err := ssh.ParsePublicKey(k.Blob)
			if err != nil {
				t.Fatal(err)
			}
			if err := pub.Verify([]byte("challenge"), sig); err != nil {
				t.Errorf("%s: %v", sig.Format, err)
			}
		}
	}
	if a.RemoveAll() == nil {
		t.Error("removed the keys of a card")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
