package process

import "strings"

// languageNamed returns how the interpreter of this name reads its command line. The manual pages of each are the source.
func languageNamed(name string) (*language, bool) {
	switch name {
	case "sh", "bash", "rbash", "dash", "ash", "zsh", "ksh", "mksh", "pdksh", "yash", "fish", "csh", "tcsh", "hush":
		return &shell, true
	case "busybox":
		return &busybox, true
	case "python", "pypy", "platform-python": // the last is RHEL 8's own, in /usr/libexec
		return &python, true
	case "perl":
		return &perl, true
	case "ruby":
		return &ruby, true
	case "node", "nodejs":
		return &node, true
	case "deno", "bun":
		return &deno, true
	case "php", "php-cgi":
		return &php, true
	case "lua", "luajit":
		return &lua, true
	case "java":
		return &java, true
	case "R", "Rscript":
		return &statistics, true
	case "tclsh", "wish":
		return &tcl, true
	case "expect":
		return &expect, true
	case "awk", "gawk", "mawk":
		return &awk, true
	case "pwsh":
		return &powershell, true
	case "mono", "mono-sgen":
		return &mono, true
	case "dotnet":
		return &dotnet, true
	case "ld", "ld.so": // of glibc: ld-2.31.so, ld64.so.2, and ld.so, which is a link to what it is called now
		return &loader, true
	}
	if strings.HasPrefix(name, "ld-linux") || strings.HasPrefix(name, "ld-musl-") {
		return &loader, true
	}
	return nil, false
}

// The languages are constants in all but name: nothing writes to them.
var (
	busybox = language{}

	shell = language{separate: "oO", inline: "c", stdin: "s", code: "-c", plus: true, dash: true, long: map[string]meaning{
		"--rcfile": takesValue, "--init-file": takesValue, "--emulate": takesValue, "--init-command": takesValue,
		"--command": isInline}}

	python = language{values: "WXQ", inline: "c", module: "m", code: "-c", long: map[string]meaning{
		"--check-hash-based-pycs": takesValue}}

	// -d may be followed by further options (-de1) or by a colon and a module.
	perl = language{values: "I", attached: "iMmxDCVF:", inline: "eE", code: "-e"}

	ruby = language{values: "IrCEX", attached: "iFKxTW", inline: "e", code: "-e", long: map[string]meaning{
		"--encoding": takesValue, "--external-encoding": takesValue, "--internal-encoding": takesValue,
		"--enable": takesValue, "--disable": takesValue, "--dump": takesValue, "--backtrace-limit": takesValue}}

	node = language{values: "rC", inline: "ep", code: "-e", long: map[string]meaning{
		"--eval": isInline, "--print": isInline,
		"--require": takesValue, "--import": takesValue, "--loader": takesValue, "--experimental-loader": takesValue,
		"--conditions": takesValue, "--input-type": takesValue, "--env-file": takesValue, "--env-file-if-exists": takesValue,
		"--title": takesValue, "--icu-data-dir": takesValue, "--inspect-port": takesValue, "--openssl-config": takesValue,
		"--redirect-warnings": takesValue, "--disable-warning": takesValue, "--unhandled-rejections": takesValue,
		"--diagnostic-dir": takesValue, "--dns-result-order": takesValue, "--max-http-header-size": takesValue,
		"--tls-cipher-list": takesValue, "--tls-keylog": takesValue, "--secure-heap": takesValue, "--watch-path": takesValue,
		"--trace-event-categories": takesValue, "--trace-event-file-pattern": takesValue, "--heapsnapshot-signal": takesValue,
		"--cpu-prof-dir": takesValue, "--cpu-prof-name": takesValue, "--heap-prof-dir": takesValue,
		"--report-dir": takesValue, "--report-directory": takesValue, "--report-filename": takesValue,
		"--report-signal": takesValue, "--test-reporter": takesValue, "--test-reporter-destination": takesValue,
		"--test-name-pattern": takesValue, "--test-concurrency": takesValue, "--snapshot-blob": takesValue,
		"--experimental-default-type": takesValue, "--localstorage-file": takesValue, "--run": takesValue}}

	deno = language{values: "rc", inline: "ep", code: "-e", plain: afterVerb, long: map[string]meaning{
		"--eval": isInline, "--print": isInline, "--preload": takesValue, "--cwd": takesValue, "--env-file": takesValue}}

	php = language{values: "cdzSt", inline: "rBRE", script: "fF", code: "-r", long: map[string]meaning{
		"--run": isInline, "--process-begin": isInline, "--process-code": isInline, "--process-end": isInline,
		"--file": isScript, "--process-file": isScript, "--php-ini": takesValue, "--define": takesValue,
		"--zend-extension": takesValue, "--server": takesValue, "--docroot": takesValue}}

	lua = language{values: "lj", attached: "O", inline: "e", code: "-e"}

	java = language{words: true, plain: classOrSource, long: map[string]meaning{
		"-jar": isScript, "-m": isModule, "--module": isModule,
		"-cp": takesValue, "-classpath": takesValue, "--class-path": takesValue, "-p": takesValue,
		"--module-path": takesValue, "--upgrade-module-path": takesValue, "--add-modules": takesValue,
		"--limit-modules": takesValue, "--enable-native-access": takesValue, "--add-reads": takesValue,
		"--add-exports": takesValue, "--add-opens": takesValue, "--patch-module": takesValue, "--source": takesValue}}

	statistics = language{words: true, code: "-e", plain: scriptOfR, long: map[string]meaning{
		"-e": isInline, "-f": isScript, "--file": isScript, "-g": takesValue, "-d": takesValue}}

	tcl = language{words: true, long: map[string]meaning{"-encoding": takesValue}}

	expect = language{values: "D", inline: "c", script: "fb", code: "-c"}

	awk = language{values: "FviIl", inline: "e", script: "fE", code: "-e", plain: inlineOperand, long: map[string]meaning{
		"--source": isInline, "--file": isScript, "--exec": isScript, "--field-separator": takesValue, "--assign": takesValue,
		"--include": takesValue, "--load": takesValue}}

	powershell = language{words: true, fold: true, code: "-c", long: abbreviated(
		abbreviation{"-file", 1, isScript}, abbreviation{"-command", 1, isInline}, abbreviation{"-encodedcommand", 1, isInline},
		abbreviation{"-ec", 2, isInline}, abbreviation{"-executionpolicy", 2, takesValue}, abbreviation{"-ep", 2, takesValue},
		abbreviation{"-workingdirectory", 2, takesValue}, abbreviation{"-wd", 2, takesValue},
		abbreviation{"-windowstyle", 1, takesValue}, abbreviation{"-configurationname", 6, takesValue},
		abbreviation{"-configurationfile", 14, takesValue}, abbreviation{"-custompipename", 3, takesValue},
		abbreviation{"-inputformat", 3, takesValue}, abbreviation{"-if", 2, takesValue},
		abbreviation{"-outputformat", 1, takesValue}, abbreviation{"-of", 2, takesValue},
		abbreviation{"-settingsfile", 8, takesValue})}

	mono = language{words: true, long: map[string]meaning{"--config": takesValue}}

	// The dynamic loader, started itself, runs the program it is given: ld.so(8).
	loader = language{words: true, long: map[string]meaning{"--library-path": takesValue, "--preload": takesValue, "--audit": takesValue,
		"--argv0": takesValue, "--inhibit-rpath": takesValue, "--glibc-hwcaps-mask": takesValue, "--glibc-hwcaps-prepend": takesValue}}

	dotnet = language{words: true, plain: assembly, long: map[string]meaning{
		"--additionalprobingpath": takesValue, "--depsfile": takesValue, "--runtimeconfig": takesValue,
		"--fx-version": takesValue, "--roll-forward": takesValue, "--additional-deps": takesValue}}
)

// abbreviation is an option that may be cut short to least letters.
type abbreviation struct {
	full  string
	least int
	m     meaning
}

// abbreviated lists every form of the options; of two options with a common form the first has it.
func abbreviated(options ...abbreviation) map[string]meaning {
	forms := make(map[string]meaning)
	for _, o := range options {
		for n := 1 + o.least; n <= len(o.full); n++ {
			if _, taken := forms[o.full[:n]]; !taken {
				forms[o.full[:n]] = o.m
			}
		}
	}
	return forms
}

// classOrSource is what java runs without -jar: a class, an argument file (@file) or one source file.
func classOrSource(arg string) (string, kind, bool) {
	if strings.HasSuffix(arg, ".java") {
		return arg, file, true
	}
	return arg, word, true
}

// scriptOfR: R proper ignores operands and takes its script from --file; Rscript hands it over that way, too, before it
// becomes R, so an operand is only seen in Rscript's first instants.
func scriptOfR(arg string) (string, kind, bool) {
	return arg, file, strings.HasSuffix(strings.ToLower(arg), ".r")
}

// inlineOperand: the first operand of awk is its program.
func inlineOperand(string) (string, kind, bool) { return "-e", word, true }

// assembly: dotnet runs an assembly, directly or by exec; any other verb is a tool of its own development kit.
func assembly(arg string) (string, kind, bool) {
	if lower := strings.ToLower(arg); strings.HasSuffix(lower, ".dll") || strings.HasSuffix(lower, ".exe") {
		return arg, file, true
	}
	return "", word, arg != "exec"
}

// afterVerb: deno and bun run a file, with or without the verb; other verbs are answered as they are.
func afterVerb(arg string) (string, kind, bool) {
	switch {
	case arg == "run":
		return "", word, false
	case arg == "eval":
		return "-e", word, true
	case strings.ContainsAny(arg, "./"):
		return arg, file, true
	}
	return arg, word, true
}
