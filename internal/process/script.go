package process

import (
	"path"
	"strings"
)

// Script returns what an interpreter runs, so that two scripts of one interpreter are two programs:
//
//   - the script file, made absolute with cwd (the working directory, "" if unknown) and cleaned. A shell that finds a bare
//     name in PATH instead is not followed;
//   - for java the jar of -jar, or the class or module to run, as given;
//   - "-m module" for a module named instead of a file;
//   - the option for inline code: "-c" (python, shells, pwsh, expect), "-e" (perl, ruby, node, lua, R, awk), "-r" (php),
//     whichever spelling was used;
//   - "-" where code is read from standard input by request (`bash -s`, `python3 -`);
//   - for the dynamic loader, started as a program, the program it was given;
//   - "" if executable is no interpreter, or it was given nothing to run: an interactive shell, or one at the end of a pipe.
//
// executable is the link /proc/PID/exe, argv the argument vector as the process shows it: untrusted, so the answer is
// Printable and as honest as the process.
func Script(executable string, argv []string, cwd string) string {
	l, ok := languageOf(executable)
	if !ok || len(argv) < 2 {
		return ""
	}
	if l == &busybox {
		if argv = shellOfBusybox(argv); argv == nil {
			return ""
		}
		l = &shell
	}
	what, kind := l.parse(argv[1:])
	if what != "" && kind == file {
		if !path.IsAbs(what) {
			what = path.Join(cwd, what)
		}
		what = path.Clean(what)
	}
	return Printable(what, MaxText)
}

// IsInterpreter reports whether the executable runs code given to it, so that its path alone does not say what it is.
func IsInterpreter(executable string) bool {
	_, ok := languageOf(executable)
	return ok
}

// languageOf finds the language by the name of the executable without its version: python3.11, perl5.36.0, lua5.4,
// luajit-2.1.0 and ruby3.1 are python, perl, lua, luajit and ruby.
func languageOf(executable string) (*language, bool) {
	name := path.Base(strings.TrimSuffix(executable, " (deleted)"))
	if i := strings.IndexAny(name, "0123456789"); i > 0 {
		name = strings.TrimRight(name[:i], "-.")
	}
	return languageNamed(name)
}

// shellOfBusybox returns the vector of the shell a busybox plays, called as sh or as `busybox sh`, nil if it plays another
// tool.
func shellOfBusybox(argv []string) []string {
	name := path.Base(strings.TrimPrefix(argv[0], "-"))
	if name == "busybox" {
		argv = argv[1:]
		name = path.Base(argv[0])
	}
	switch name {
	case "sh", "ash", "hush":
		return argv
	}
	return nil
}
