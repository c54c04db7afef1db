package ckr

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Tries says how many times a PIN may still be entered wrongly. The zero
// value says nothing.
type Tries struct {
	Left  int  // meaningful if Known; 0 is a locked PIN
	Known bool // whether the card told
}

func (t Tries) String() string {
	switch {
	case !t.Known:
		return ""
	case t.Left == 1:
		return "1 try left"
	}
	return fmt.Sprintf("%d tries left", t.Left)
}

// Error is a return code with its circumstances.
type Error struct {
	Code  Code
	Op    string // what was being done, in words or as a name: "login", "CKA_LABEL"
	Tries Tries  // for the codes about PINs
	Err   error  // what caused it, may be nil
}

// Error reads from the outside in: operation, code, tries, cause, as in
// "login: PIN incorrect, 2 tries left: VERIFY: tries left 2 (63C2)". Parts
// that are empty, and a cause that only repeats the code, are left out.
func (e *Error) Error() string {
	parts := make([]string, 0, 3)
	if e.Op != "" {
		parts = append(parts, e.Op)
	}
	what := e.Code.Error()
	cause := ""
	if e.Err != nil {
		cause = e.Err.Error()
	}
	tries := e.Tries.String()
	switch {
	case e.repeated(what, tries, cause):
		what = ""
	case tries != "":
		what += ", " + tries
	}
	for _, part := range []string{what, cause} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

// repeated reports whether the cause says by itself all that the code and the
// tries would say before it.
func (e *Error) repeated(what, tries, cause string) bool {
	if cause == "" || !strings.Contains(cause, tries) {
		return false
	}
	var inner *Error
	if errors.As(e.Err, &inner) && inner.Code == e.Code {
		return true
	}
	return cause == what || strings.HasPrefix(cause, what+":") || strings.HasPrefix(cause, what+",")
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the error's own code.
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	return ok && code == e.Code
}

// New returns an error of the given code. The operation and the cause may be
// left empty. If code is [OK], the code is taken from the cause, so that a
// caller who only adds words need not know it; an error is never OK. Tries
// known to a cause of the same code are taken over.
func New(code Code, op string, err error) *Error {
	if code == OK {
		if code = Of(err); code == OK {
			code = GeneralError
		}
	}
	e := &Error{Code: code, Op: op, Err: err}
	if inner, ok := errors.AsType[*Error](err); ok && inner != nil && inner.Code == code {
		e.Tries = inner.Tries
	}
	return e
}

// Newf is New with a cause made by fmt.Errorf, which may wrap others by %w.
func Newf(code Code, op, format string, args ...any) *Error {
	return New(code, op, fmt.Errorf(format, args...))
}

// Of returns the code of an error: that of the outermost [Error] or [Code] in
// its chain, [FunctionCanceled] for a context's error, [GeneralError] for any
// other, and [OK] for nil.
func Of(err error) Code {
	if err == nil {
		return OK
	}
	if code, ok := search(err); ok {
		return code
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return FunctionCanceled
	}
	return GeneralError
}

// search walks the tree of err in the order of errors.As, but for both kinds
// at once, so that the outermost one wins.
func search(err error) (Code, bool) {
	for err != nil {
		switch e := err.(type) {
		case *Error:
			if e == nil { // a nil pointer in an error is a caller's mistake, not success
				return GeneralError, true
			}
			return e.Code, true
		case Code:
			return e, true
		}
		switch w := err.(type) {
		case interface{ Unwrap() error }:
			err = w.Unwrap()
		case interface{ Unwrap() []error }:
			for _, inner := range w.Unwrap() {
				if code, ok := search(inner); ok {
					return code, true
				}
			}
			return 0, false
		default:
			return 0, false
		}
	}
	return 0, false
}
