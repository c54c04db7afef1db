package object

// Hidden reports whether an attribute of an object may not be read, where all
// is what is known of the object: the attribute has footnote 7 and the object
// is sensitive or unextractable (PKCS #11 v3.2 §4.1, §4.9). An object that
// does not say whether it is counts as if it were.
func Hidden(all Template, t Type) bool {
	if row, ok := find(t); ok && !row.secret {
		return false // in no object
	}
	rule, ok := RulesOf(all).Lookup(t)
	if !ok || !rule.Notes.Has(HiddenIfSensitive) {
		return false
	}
	sensitive, known := In(all, AttrSensitive)
	extractable, told := In(all, AttrExtractable)
	return !known || !told || sensitive || !extractable
}

// Searchable reports whether an attribute may take part in a search. A hidden
// attribute never matches, not even by its true value: a search must not tell
// whether a guess is right.
func Searchable(all Template, t Type) bool { return !Hidden(all, t) }
