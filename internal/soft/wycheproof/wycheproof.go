// Package wycheproof reads the test vectors of Project Wycheproof for tests;
// nothing that ships imports it. README.md says where they come from.
//
//	for _, c := range wycheproof.Cases(t, "aes_gcm_test") {
//		key := c.Bytes("key")
//	}
package wycheproof

import (
	"compress/gzip"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

//go:embed vectors/*.json.gz
var vectors embed.FS

// A Case is one test with the values of the group it stands in.
type Case struct {
	t             testing.TB
	group, values map[string]any
}

// Cases returns the cases of a file, named without its ending.
func Cases(t testing.TB, name string) []Case {
	t.Helper()
	file, err := vectors.Open("vectors/" + name + ".json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		TestGroups []map[string]any `json:"testGroups"`
	}
	if err := json.NewDecoder(unzipped).Decode(&all); err != nil {
		t.Fatal(err)
	}
	var cases []Case
	for _, group := range all.TestGroups {
		for _, test := range group["tests"].([]any) {
			cases = append(cases, Case{t, group, test.(map[string]any)})
		}
	}
	if len(cases) == 0 {
		t.Fatalf("%s has no cases", name)
	}
	return cases
}

// String names the case for people.
func (c Case) String() string {
	return fmt.Sprintf("tcId %v (%v)", c.values["tcId"], c.values["comment"])
}

// Text returns a value of the case or, failing that, of its group.
func (c Case) Text(key string) string {
	if v, ok := c.values[key]; ok {
		return fmt.Sprint(v)
	}
	if v, ok := c.group[key]; ok {
		return fmt.Sprint(v)
	}
	return ""
}

// Bytes returns a value given in hexadecimal.
func (c Case) Bytes(key string) []byte {
	c.t.Helper()
	b, err := hex.DecodeString(c.Text(key))
	if err != nil {
		c.t.Fatalf("%s: %s: %v", c, key, err)
	}
	return b
}

// Int returns a number.
func (c Case) Int(key string) int {
	for _, values := range []map[string]any{c.values, c.group} {
		if n, ok := values[key].(float64); ok {
			return int(n)
		}
	}
	c.t.Fatalf("%s: %s is no number", c, key)
	return 0
}

// Has reports whether the case has a flag.
func (c Case) Has(flag string) bool {
	flags, _ := c.values["flags"].([]any)
	for _, f := range flags {
		if f == flag {
			return true
		}
	}
	return false
}

// Key returns the members of an object of the group, such as publicKey, in
// their textual form.
func (c Case) Key(name string) map[string]any {
	key, _ := c.group[name].(map[string]any)
	return key
}

// Valid reports whether the case must succeed.
func (c Case) Valid() bool { return c.Text("result") == "valid" }

// Acceptable reports whether a case may go either way.
func (c Case) Acceptable() bool { return c.Text("result") == "acceptable" }

// Files returns the names of all files, without their ending.
func Files() []string {
	entries, err := vectors.ReadDir("vectors")
	if err != nil {
		return nil // embedded directories can be read
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".json.gz"))
	}
	return names
}
