package process

import "strings"

// kind says what a parse found.
type kind uint8

// word is an answer that stands as it is ("-c", a class), file a path.
const (
	word kind = iota
	file
)

// language is how an interpreter reads its command line, as far as it takes to find the script in it.
type language struct {
	// values are the short options that take a value, attached or as the next argument: -W ignore, -Wignore.
	values string
	// attached are the short options that may have a value only attached to them: -i.bak, -Mstrict.
	attached string
	// separate are those whose value is always the next argument, further options following in between: -eo pipefail.
	separate string
	// inline are the short options whose value is code, stdin those that ask for code on standard input.
	inline, stdin string
	// module are the short options that name a module to run, script those that name the script file.
	module, script string
	// code is the answer for inline code.
	code string
	// long tells what a long option means; one that is not listed has no value, or has it after an equals sign.
	long map[string]meaning
	// plus allows options that start with a plus sign, which take values as those with a minus do (sh +o posix).
	plus bool
	// dash: a lone "-" ends the options, as "--" does, instead of being the script.
	dash bool
	// words: options are words of one or two dashes and never clusters of letters (java, pwsh, tclsh). fold ignores their case.
	words, fold bool
	// plain, if set, decides about an argument that is no option; not found means to go on.
	plain func(arg string) (what string, k kind, found bool)
}

// meaning is what a long option does with what follows.
type meaning uint8

const (
	takesValue meaning = iota + 1
	isInline
	isModule
	isScript
)

// parse returns what args (without the interpreter's own name) make the interpreter run.
func (l *language) parse(args []string) (string, kind) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		next := func() string {
			if i++; i < len(args) {
				return args[i]
			}
			return ""
		}
		switch {
		case arg == "-" && (!l.dash || i == len(args)-1):
			return "-", word
		case arg == "-" || arg == "--":
			what, k, _ := l.operand(next())
			return what, k
		case l.words && len(arg) > 1 && arg[0] == '-' || strings.HasPrefix(arg, "--"):
			if what, k, found := l.option(arg, next); found {
				return what, k
			}
		case len(arg) > 1 && (arg[0] == '-' || l.plus && arg[0] == '+'):
			if what, k, found := l.cluster(arg[1:], next); found {
				return what, k
			}
		default:
			if what, k, found := l.operand(arg); found {
				return what, k
			}
		}
	}
	return "", word
}

// operand is an argument that is no option.
func (l *language) operand(arg string) (what string, k kind, found bool) {
	if l.plain != nil {
		return l.plain(arg)
	}
	return arg, file, true
}

// option reads a long option.
func (l *language) option(arg string, next func() string) (what string, k kind, found bool) {
	name, value, attached := strings.Cut(arg, "=")
	if l.fold {
		name = strings.ToLower("-" + strings.TrimLeft(name, "-"))
	}
	m := l.long[name]
	if m == isInline {
		return l.code, word, true
	}
	if m != 0 && !attached {
		value = next()
	}
	switch m {
	case isModule:
		return "-m " + value, word, true
	case isScript:
		return value, file, true
	}
	return "", word, false
}

// cluster reads short options: -uc is -u and -c, -ofoo is -o with the value foo where -o takes one.
func (l *language) cluster(letters string, next func() string) (what string, k kind, found bool) {
	for i := 0; i < len(letters); i++ {
		letter, rest := letters[i], letters[i+1:]
		has := func(set string) bool { return strings.IndexByte(set, letter) >= 0 }
		value := func() string {
			if rest != "" {
				return rest
			}
			return next()
		}
		switch {
		case has(l.inline):
			return l.code, word, true
		case has(l.module):
			return "-m " + value(), word, true
		case has(l.script):
			return value(), file, true
		case has(l.stdin):
			return "-", word, true
		case has(l.separate):
			next()
		case has(l.attached):
			return "", word, false
		case has(l.values):
			value()
			return "", word, false
		}
	}
	return "", word, false
}
