package exported

import (
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/go-cryptoki/cryptoki"

// exports returns the files with the export data of all packages, and the names
// of the module's own that are public.
func exports(t *testing.T) (files map[string]string, public []string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps",
		"-f", "{{.ImportPath}} {{.Name}} {{.Export}}", module+"/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	files = make(map[string]string)
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		files[f[0]] = f[2]
		if strings.HasPrefix(f[0], module) && f[1] != "main" && !internal(f[0]) {
			public = append(public, f[0])
		}
	}
	return files, public
}

func internal(path string) bool { return strings.Contains(path+"/", "/internal/") }

// walk looks for internal types in all that a name leads to.
type walk struct {
	seen map[types.Type]bool
	bad  map[string]bool
}

func (w *walk) object(o types.Object) {
	if t, ok := o.(*types.TypeName); ok {
		if named, ok := types.Unalias(t.Type()).(*types.Named); ok {
			w.named(named)
			for m := range types.NewMethodSet(types.NewPointer(named)).Methods() {
				if m.Obj().Exported() {
					w.typ(m.Type())
				}
			}
			w.typ(named.Underlying())
			return
		}
	}
	w.typ(o.Type())
}

func (w *walk) named(t *types.Named) {
	if p := t.Obj().Pkg(); p != nil && strings.HasPrefix(p.Path(), module) && internal(p.Path()) {
		w.bad[p.Path()+"."+t.Obj().Name()] = true
	}
}

func (w *walk) typ(t types.Type) {
	if t == nil || w.seen[t] {
		return
	}
	w.seen[t] = true
	switch t := types.Unalias(t).(type) {
	case *types.Named:
		w.named(t)
		for a := range t.TypeArgs().Types() {
			w.typ(a)
		}
	case *types.Pointer:
		w.typ(t.Elem())
	case *types.Slice:
		w.typ(t.Elem())
	case *types.Array:
		w.typ(t.Elem())
	case *types.Chan:
		w.typ(t.Elem())
	case *types.Map:
		w.typ(t.Key())
		w.typ(t.Elem())
	case *types.Tuple:
		for v := range t.Variables() {
			w.typ(v.Type())
		}
	case *types.Signature:
		w.typ(t.Params())
		w.typ(t.Results())
	case *types.Struct:
		for f := range t.Fields() {
			if f.Exported() {
				w.typ(f.Type())
			}
		}
	case *types.Interface:
		for m := range t.Methods() {
			w.typ(m.Type())
		}
	}
}

func TestNoExportedNameLeadsToAnInternalType(t *testing.T) {
	files, public := exports(t)
	imports := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		file, ok := files[path]
		if !ok {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(file)
	})
	if len(public) < 12 {
		t.Fatalf("only %d public packages", len(public))
	}
	for _, path := range public {
		pkg, err := imports.Import(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range pkg.Scope().Names() {
			o := pkg.Scope().Lookup(name)
			if !o.Exported() {
				continue
			}
			w := &walk{make(map[types.Type]bool), make(map[string]bool)}
			w.object(o)
			for bad := range w.bad {
				t.Errorf("%s.%s names %s", path, name, bad)
			}
		}
	}
}
