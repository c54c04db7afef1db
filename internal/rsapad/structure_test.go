package rsapad

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"
)

// TestScansHaveNoEarlyEnd holds the functions that look at secret blocks to
// their shape: one way through, whatever the block holds. It is here to catch
// a well-meant shortcut, as timing tests on shared machines do not.
func TestScansHaveNoEarlyEnd(t *testing.T) {
	allowedIfs := map[string]int{
		"scan":    0,
		"scanOne": 0,
		"shifted": 1, // at the end of the block, by its length
		"xorMask": 0,
		"failed":  0,
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
			ifs, ok := allowedIfs[f.Name.Name]
			if !ok {
				continue
			}
			found++
			checkShape(t, f, ifs)
		}
	}
	if found < 5 {
		t.Errorf("only %d functions were looked at", found)
	}
}

func checkShape(t *testing.T, f *ast.FuncDecl, allowed int) {
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
	if ifs != allowed || returns > 1 {
		t.Errorf("%s has %d ifs and %d returns", f.Name.Name, ifs, returns)
	}
}
