package engine

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// The objects that a token has of itself (PKCS #11 v3.2 §4.3, §4.11, §4.13):
// hardware features, mechanisms and profiles. No card stores them, and a
// search finds them only if it asks for their class.

// feature is an object that the token has of itself.
type feature struct {
	name   string // CKA_UNIQUE_ID
	class  object.Class
	values func() object.Template // what is to be read now, beyond class and id
}

// template returns all attributes as they are now.
func (f *feature) template() object.Template {
	return append(object.Template{object.AttrClass.Is(f.class), object.AttrUniqueID.Is(f.name)}, f.values()...)
}

// features returns the objects of one class, which has such, or nothing.
func (t *Token) features(class object.Class) []*feature {
	switch class {
	case object.ClassHWFeature:
		return []*feature{&clockFeature, &counterFeature}
	case object.ClassProfile:
		return profiles
	case object.ClassMechanism:
		return t.mechanismFeatures()
	}
	return nil
}

// clockFeature tells the time in UTC: YYYYMMDDhhmmss and two zeros.
var clockFeature = feature{"clock", object.ClassHWFeature, func() object.Template {
	return object.Template{
		object.AttrHWFeatureType.Is(object.HWFeatureClock),
		object.AttrValue.Is([]byte(time.Now().UTC().Format("20060102150405") + "00")),
	}
}}

// counterFeature grows with each read, and over restarts as the clock does.
var counterFeature = feature{"monotonic counter", object.ClassHWFeature, func() object.Template {
	return object.Template{
		object.AttrHWFeatureType.Is(object.HWFeatureMonotonicCounter),
		object.AttrResetOnInit.Is(false), object.AttrHasReset.Is(false),
		object.AttrValue.Is(binary.BigEndian.AppendUint64(nil, counter.next())),
	}
}}

// monotonic is a counter of nanoseconds that never gives a number twice.
type monotonic struct {
	mu   sync.Mutex
	last uint64
}

var counter monotonic

func (c *monotonic) next() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last+1, uint64(time.Now().UnixNano()))
	return c.last
}

// profiles are what the library keeps to with every token.
var profiles = []*feature{profile(object.ProfileBaselineProvider), profile(object.ProfileExtendedProvider)}

func profile(id object.ProfileID) *feature {
	return &feature{id.String(), object.ClassProfile, func() object.Template { return object.Template{object.AttrProfileID.Is(id)} }}
}

// mechanismFeatures has one object for each mechanism.
func (t *Token) mechanismFeatures() []*feature {
	var types []mechanism.Type
	for m := range t.Mechanisms() {
		types = append(types, m)
	}
	slices.Sort(types)
	var all []*feature
	for _, m := range types {
		all = append(all, &feature{fmt.Sprintf("mechanism %v", m), object.ClassMechanism, func() object.Template {
			return object.Template{object.AttrMechanismType.Is(m)}
		}})
	}
	return all
}

// featuresLike returns the objects of the token itself that match. The caller
// holds t.mu.
func (t *Token) featuresLike(class object.Class, features []*feature, match []object.Attribute) (found []finding) {
	for _, f := range features {
		if f.template().Matches(match) {
			found = append(found, finding{e: t.giveFeature(class, f)})
		}
	}
	return found
}

// giveFeature returns the entry of a feature, with a new handle if the
// application has none. The caller holds t.mu.
func (t *Token) giveFeature(class object.Class, f *feature) *entry {
	if e := t.own[f.name]; e != nil && !e.dead {
		return e
	}
	e := &entry{feature: f}
	e.obj = object.New(t, t.next(), class)
	t.entries[e.obj.Handle()] = e
	if t.own == nil {
		t.own = make(map[string]*entry)
	}
	t.own[f.name] = e
	return e
}
