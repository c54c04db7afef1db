package cryptoki

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/uri"
)

// The files that PIN sources name are those that RFC 7512 §2.4 and RFC 8089
// mean.
func TestPINSourcesNameFiles(t *testing.T) {
	dir := filepath.ToSlash(t.TempDir())
	write := func(name, pin string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(pin+"\r\nnot this\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("pin", "plain")
	write("my pin", "blank")
	write("100%", "percent")
	root := dir
	if runtime.GOOS == "windows" {
		root = "/" + dir // C:/Users becomes /C:/Users
	}
	allow := sources{files: true}
	for source, want := range map[string]string{
		dir + "/pin":                             "plain",
		"file:" + dir + "/pin":                   "plain",
		"FILE:" + root + "/pin":                  "plain",
		"File://" + root + "/pin":                "plain",
		"file://localhost" + root + "/pin":       "plain",
		"file://LOCALHOST" + root + "/pin":       "plain",
		dir + "/my%20pin":                        "blank",
		"file:" + root + "/my%20pin":             "blank",
		"file://" + root + "/my%2520pin":         "blank", // escaped for each of the two URIs
		"file:" + root + "/%70in":                "plain",
		"file:" + root + "/100%25":               "percent",
		"file:" + root + "/100%2525":             "percent",
		"file%3A%2F%2Flocalhost" + root + "/pin": "plain",
	} {
		u, err := uri.Parse("pkcs11:?pin-source=" + source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		ask, err := allow.pinOf(u)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		pin, err := ask(t.Context(), token.PINRequest{})
		if err != nil || string(pin.Reveal()) != want {
			t.Errorf("%s: read %q, %v", source, pin.Reveal(), err)
		}
	}
	for source, says := range map[string]string{
		"file:pin":                       "not absolute",
		"pin":                            "not absolute",
		"":                               "not absolute",
		"file:":                          "not absolute",
		"file://elsewhere" + root + "/p": "another machine",
		"file://localhost:80/p":          "another machine",
		"http://localhost/p":             `"http:"`,
		"HTTPS:/p":                       `"HTTPS:"`,
		"env:PIN":                        `"env:"`,
		"data:,123456":                   `"data:"`,
		"file:/a%00b":                    "zero byte",
		"file:/a%2500b":                  "zero byte",
	} {
		u, err := uri.Parse("pkcs11:?pin-source=" + source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if _, err := allow.pinOf(u); ckr.Of(err) != ckr.ArgumentsBad || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "123456") {
			t.Errorf("%s: %v", source, err)
		}
	}
}
