package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/uri"
)

// objectOut is an object for machines.
type objectOut struct {
	Handle  uint64 `json:"handle"`
	Class   string `json:"class"`
	KeyType string `json:"key_type,omitempty"`
	Label   string `json:"label"`
	ID      string `json:"id,omitempty"`
	Private bool   `json:"private"`
	Error   string `json:"error,omitempty"`
}

func listObjects(ctx context.Context, e *env, args []string) error {
	f := e.flags("objects")
	login := f.Bool("login", false, "")
	given := f.String("pin", "", "")
	text, err := parseURI(f, args)
	if err != nil {
		return err
	}
	if *given != "" && !*login {
		return usagef("objects takes --pin with --login only")
	}
	if !*login {
		given = nil
	}
	return e.withSession(ctx, text, nil, given, func(s *session.Session, u *uri.URI) error {
		t, err := match(u)
		if err != nil {
			return err
		}
		out, err := collect(ctx, s, t)
		if err != nil {
			return err
		}
		return e.print(out, table(out))
	})
}

// collect describes all objects; one that cannot be read does not hide the
// others.
func collect(ctx context.Context, s *session.Session, match object.Template) ([]objectOut, error) {
	out := []objectOut{}
	for o, err := range s.Find(ctx, match...) {
		if err != nil {
			return nil, err
		}
		d, err := collectOne(ctx, o)
		if err != nil {
			d.Error = err.Error()
		}
		out = append(out, d)
	}
	return out, nil
}

// collectOne describes one object, as far as it can be read.
func collectOne(ctx context.Context, o *object.Object) (objectOut, error) {
	d := objectOut{Handle: o.Handle(), Class: strings.TrimPrefix(o.Class().String(), "CKO_")}
	var errs [3]error
	d.Label, errs[0] = object.Get(ctx, o, object.AttrLabel)
	d.Private, errs[1] = object.Get(ctx, o, object.AttrPrivate)
	if id, err := object.Get(ctx, o, object.AttrID); err == nil {
		d.ID = hex.EncodeToString(id)
	}
	if o.Class().IsKey() {
		var kt object.KeyType
		kt, errs[2] = object.Get(ctx, o, object.AttrKeyType)
		d.KeyType = strings.TrimPrefix(kt.String(), "CKK_")
	}
	return d, errors.Join(errs[:]...)
}

func table(all []objectOut) string {
	if len(all) == 0 {
		return "no objects"
	}
	var w strings.Builder
	for _, o := range all {
		seen := "public "
		if o.Private {
			seen = "private"
		}
		fmt.Fprintf(&w, "%-12s %-6s %s  %-20q", o.Class, o.KeyType, seen, o.Label)
		if o.ID != "" {
			fmt.Fprintf(&w, "  id %s", o.ID)
		}
		if o.Error != "" {
			fmt.Fprintf(&w, "  error: %s", o.Error)
		}
		w.WriteByte('\n')
	}
	return strings.TrimSuffix(w.String(), "\n")
}
