package main

import (
	"context"
	"fmt"
	"strings"
)

// completion prints a script that completes commands and their flags.
func completion(_ context.Context, e *env, args []string) error {
	rest, err := parseAll(e.flags("completion"), args, 1, 1)
	if err != nil {
		return err
	}
	var names []string
	for _, c := range commands() {
		names = append(names, c.name)
	}
	words := strings.Join(names, " ")
	switch rest[0] {
	case "bash", "zsh":
		if rest[0] == "zsh" {
			fmt.Fprint(e.out, "whence compdef >/dev/null || { autoload -U compinit && compinit; }\nautoload -U +X bashcompinit && bashcompinit\n")
		}
		fmt.Fprintf(e.out, "_cryptoki() {\n\tlocal word=${COMP_WORDS[COMP_CWORD]} i\n"+
			"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n\t\tcase ${COMP_WORDS[i]} in\n")
		for _, c := range commands() {
			fmt.Fprintf(e.out, "\t\t%s) COMPREPLY=($(compgen -f -W '%s' -- \"$word\")); return ;;\n", c.name, strings.Join(flagsOf(c), " "))
		}
		fmt.Fprintf(e.out, "\t\tesac\n\tdone\n\tCOMPREPLY=($(compgen -W '%s --card --json --trace --help' -- \"$word\"))\n}\n"+
			"complete -o default -F _cryptoki cryptoki\n", words)
	case "fish":
		first := "'not __fish_seen_subcommand_from " + words + "'" // also after the flags of all commands
		fmt.Fprintf(e.out, "complete -c cryptoki -n %s -l card -r\n", first)
		for _, f := range []string{"json", "trace", "help"} {
			fmt.Fprintf(e.out, "complete -c cryptoki -n %s -f -l %s\n", first, f)
		}
		for _, c := range commands() {
			fmt.Fprintf(e.out, "complete -c cryptoki -n %s -f -a %s -d %q\n", first, c.name, c.what)
			for _, f := range flagsOf(c) {
				fmt.Fprintf(e.out, "complete -c cryptoki -n '__fish_seen_subcommand_from %s' -l %s\n", c.name, strings.TrimPrefix(f, "--"))
			}
		}
	default:
		return usagef("there is no completion for %q: bash, zsh, fish", rest[0])
	}
	return nil
}

// flagsOf reads the flags out of a command's usage.
func flagsOf(c command) (flags []string) {
	for _, word := range strings.FieldsFunc(c.args, func(r rune) bool { return strings.ContainsRune("[] |", r) }) {
		if strings.HasPrefix(word, "--") {
			flags = append(flags, word)
		}
	}
	return append(flags, "--help")
}
