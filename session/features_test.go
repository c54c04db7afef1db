package session_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
)

// TestATokenHasObjectsOfItself finds hardware features, mechanisms and
// profiles by their class only, and cannot change them.
func TestATokenHasObjectsOfItself(t *testing.T) {
	ctx := t.Context()
	s := newRig(t).openAs(token.User)
	if all := find(t, s); len(all) > 0 {
		t.Errorf("a search for everything finds %v", all)
	}
	one := func(class object.Class, more ...object.Attribute) *object.Object {
		t.Helper()
		found := find(t, s, append(more, object.AttrClass.Is(class))...)
		if len(found) != 1 {
			t.Fatalf("%v: found %v", more, found)
		}
		if again := find(t, s, append(more, object.AttrClass.Is(class))...); again[0] != found[0] {
			t.Errorf("%v has two handles", found[0])
		}
		return found[0]
	}
	clock := one(object.ClassHWFeature, object.AttrHWFeatureType.Is(object.HWFeatureClock))
	now, err := time.Parse("20060102150405", string(must(object.Get(ctx, clock, object.AttrValue))(t)[:14]))
	if noError(t, err); time.Since(now).Abs() > time.Minute {
		t.Errorf("the clock says %v", now)
	}
	counter := one(object.ClassHWFeature, object.AttrHWFeatureType.Is(object.HWFeatureMonotonicCounter))
	last := []byte(nil)
	for range 100 {
		value := must(object.Get(ctx, counter, object.AttrValue))(t)
		if bytes.Compare(value, last) <= 0 {
			t.Fatalf("%x comes after %x", value, last)
		}
		last = value
	}
	aes := one(object.ClassMechanism, object.AttrMechanismType.Is(mechanism.TypeAESGCM))
	profile := one(object.ClassProfile, object.AttrProfileID.Is(object.ProfileBaselineProvider))
	if got, want := len(find(t, s, object.AttrClass.Is(object.ClassMechanism))), len(s.Token().Mechanisms()); got != want {
		t.Errorf("%d mechanism objects, want %d", got, want)
	}
	for _, o := range []*object.Object{clock, counter, aes, profile} {
		isCode(t, s.Destroy(ctx, o), ckr.ActionProhibited)
		_, err := s.Copy(ctx, o)
		isCode(t, err, ckr.ActionProhibited)
		hasCode(t, s.Set(ctx, o, object.AttrValue.Is(nil)), "CKR_ATTRIBUTE_READ_ONLY|CKR_ATTRIBUTE_TYPE_INVALID")
		_, err = s.Sign(ctx, mechanism.ECDSA{}, o, nil)
		isCode(t, err, ckr.KeyHandleInvalid)
		if must(object.Get(ctx, o, object.AttrUniqueID))(t) == "" {
			t.Errorf("%v has no unique id", o)
		}
	}
	_, err = s.Create(ctx, object.AttrClass.Is(object.ClassHWFeature), object.AttrHWFeatureType.Is(object.HWFeatureClock))
	isCode(t, err, ckr.TemplateInconsistent)
}
