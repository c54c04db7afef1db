package main

// kind is a kind of object.
type kind struct {
	name           string
	token, private bool
}

var kinds = []kind{
	{"public session", false, false}, {"private session", false, true},
	{"public token", true, false}, {"private token", true, true},
}

// verb is what a session does with an object.
type verb string

const (
	find    verb = "find"
	read    verb = "read"
	create  verb = "create"
	modify  verb = "modify"
	destroy verb = "destroy"
)

var verbs = []verb{find, read, create, modify, destroy}
