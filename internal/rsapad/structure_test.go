package rsapad

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// TestScansHaveNoEarlyEnd holds the functions that look at secret blocks to
// their shape: one way through, whatever the block holds. It is here to catch
// a well-meant shortcut, as timing tests on shared machines do not.
func TestScansHaveNoEarlyEnd(t *testing.T) {
	allowed := map[string]shape{
		"scan":         {},
		"scanOne":      {},
		"shifted":      {ifs: 1}, // at the end of the block, by its length
		"xorMask":      {},
		"failed":       {},
		"result":       {},
		"UnpadMessage": {ifs: 1, early: 1}, // for blocks that are too short
		"UnpadOAEP":    {ifs: 2, early: 2}, // and for hashes that are not allowed
		"SessionKey":   {ifs: 1, early: 1}, // for lengths that cannot be
	}
	found := 0
	for _, file := range []string{"pkcs1.go", "oaep.go", "mgf.go"} {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range tree.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			want, ok := allowed[f.Name.Name]
			if !ok {
				continue
			}
			found++
			checkShape(t, f, want)
		}
	}
	if found != len(allowed) {
		t.Errorf("only %d functions were looked at", found)
	}
}

// shape is what a function may have of branches: by lengths and parameters,
// never by content.
type shape struct{ ifs, early int }

func checkShape(t *testing.T, f *ast.FuncDecl, allowed shape) {
	ifs, returns := 0, 0
	ast.Inspect(f.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt:
			ifs++
		case *ast.ReturnStmt:
			returns++
		case *ast.BranchStmt, *ast.SwitchStmt:
			t.Errorf("%s branches: %T", f.Name.Name, n)
		case *ast.BinaryExpr:
			if n.Op == token.LAND || n.Op == token.LOR {
				if _, isFor := n.X.(*ast.BinaryExpr); !isFor {
					t.Errorf("%s has a short cut", f.Name.Name)
				}
			}
		}
		return true
	})
	if ifs != allowed.ifs || returns > 1+allowed.early {
		t.Errorf("%s has %d ifs and %d returns", f.Name.Name, ifs, returns)
	}
}

// TestNobodyElseUnpads looks through the whole library for another way of
// taking a padding off a raw block: what crypto/rsa offers works with its own
// keys only, and in software alone, and drivers leave it to this package.
func TestNobodyElseUnpads(t *testing.T) {
	allowed := map[string]bool{"internal/soft": true, "apdu/virtual/internal/myeid": true}
	root := "../.."
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		tree, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		files++
		dir, err := filepath.Rel(root, filepath.Dir(path))
		ast.Inspect(tree, func(n ast.Node) bool {
			call, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			of, _ := call.X.(*ast.Ident)
			switch {
			case of == nil:
			case of.Name == "rsa" && strings.HasPrefix(call.Sel.Name, "Decrypt") && !allowed[filepath.ToSlash(dir)]:
				t.Errorf("%s uses rsa.%s", path, call.Sel.Name)
			case of.Name == "rsapad" && strings.HasPrefix(call.Sel.Name, "Unpad"):
				t.Errorf("%s uses rsapad.%s and not rsapad.Message", path, call.Sel.Name)
			}
			return true
		})
		return err
	})
	if err != nil || files < 200 {
		t.Errorf("%d files, %v", files, err)
	}
}
