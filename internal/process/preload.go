package process

import "slices"

// preloads are the variables that have ld.so(8) load code into any program, interpreterPreloads with those that have the
// common interpreters run code beside the script.
var (
	preloads            = []string{"LD_PRELOAD", "LD_AUDIT"}
	interpreterPreloads = append(slices.Clone(preloads), "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PERL5LIB", "PERL5OPT",
		"RUBYLIB", "RUBYOPT", "NODE_OPTIONS", "NODE_PATH", "BASH_ENV", "JAVA_TOOL_OPTIONS", "LUA_INIT", "PHPRC")
)

// Preloads returns the environment variables by which other code than its own can be loaded into an executable.
func Preloads(executable string) []string {
	if IsInterpreter(executable) {
		return interpreterPreloads
	}
	return preloads
}
