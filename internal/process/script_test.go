package process

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestScript(t *testing.T) {
	tests := []struct {
		name, exe, argv, want string // argv is split at blanks; the working directory is /srv
	}{
		{"the loader", "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "/lib64/ld-linux-x86-64.so.2 --library-path /x --argv0 sshd ./a -c b", "/srv/a"},
		{"the loader of another machine", "/usr/lib/ld-linux-aarch64.so.1", "ld.so /tmp/a", "/tmp/a"},
		{"the loader of a former glibc", "/usr/lib/x86_64-linux-gnu/ld-2.31.so", "/lib64/ld-linux-x86-64.so.2 --preload /x.so /tmp/a", "/tmp/a"},
		{"the loader of POWER", "/usr/lib/powerpc64le-linux-gnu/ld64.so.2", "ld64.so.2 /tmp/a", "/tmp/a"},
		{"the loader of musl", "/lib/ld-musl-x86_64.so.1", "/lib/ld-musl-x86_64.so.1 /tmp/a", "/tmp/a"},
		{"no interpreter", "/usr/bin/curl", "curl -c jar http://x", ""},
		{"python, absolute", "/usr/bin/python3.11", "python3 /opt/x.py --port 1", "/opt/x.py"},
		{"python, relative", "/usr/bin/python3", "python3 x.py", "/srv/x.py"},
		{"python, relative and unclean", "/usr/bin/python3", "python3 ./a/../x.py", "/srv/x.py"},
		{"python, absolute and unclean", "/usr/bin/python3", "python3 /opt//a/./x.py", "/opt/a/x.py"},
		{"python, options with values", "/usr/bin/python3", "python3 -W ignore -X dev -u x.py", "/srv/x.py"},
		{"python, attached values", "/usr/bin/python3", "python3 -Wignore -Xdev x.py", "/srv/x.py"},
		{"python, module", "/usr/bin/python3", "python3 -Im http.server 80", "-m http.server"},
		{"python, attached module", "/usr/bin/python3", "python3 -mhttp.server", "-m http.server"},
		{"python, inline", "/usr/bin/python3", "python3 -uc print() x.py", "-c"},
		{"python, standard input", "/usr/bin/python3", "python3 - x.py", "-"},
		{"python, long option with a value", "/usr/bin/python3", "python3 --check-hash-based-pycs always x.py", "/srv/x.py"},
		{"python, interactive", "/usr/bin/python3", "python3", ""},
		{"python, debug build", "/usr/bin/python3.11-dbg", "python3 x.py", "/srv/x.py"},
		{"pypy", "/opt/pypy/bin/pypy3.10", "pypy3 x.py", "/srv/x.py"},
		{"the platform's python", "/usr/libexec/platform-python3.6", "/usr/libexec/platform-python -Es /usr/sbin/x.py", "/usr/sbin/x.py"},
		{"a deleted interpreter", "/tmp/python3 (deleted)", "python3 x.py", "/srv/x.py"},
		{"bash", "/usr/bin/bash", "bash x.sh", "/srv/x.sh"},
		{"bash, options", "/usr/bin/bash", "bash -eo pipefail -x +o posix x.sh", "/srv/x.sh"},
		{"bash, shell option", "/usr/bin/bash", "bash -O extglob --norc --rcfile /x x.sh", "/srv/x.sh"},
		{"bash, inline", "/usr/bin/bash", "bash -lc x.sh", "-c"},
		{"bash, inline behind an option", "/usr/bin/bash", "bash -o pipefail -c x.sh", "-c"},
		{"bash, on request from a pipe", "/usr/bin/bash", "bash -s -- arg", "-"},
		{"bash, lone dash", "/usr/bin/bash", "bash -", "-"},
		{"bash, dash before a script", "/usr/bin/bash", "bash - x.sh", "/srv/x.sh"},
		{"bash, end of options", "/usr/bin/bash", "bash -- -x.sh", "/srv/-x.sh"},
		{"bash, login", "/usr/bin/bash", "-bash", ""},
		{"dash as sh", "/usr/bin/dash", "sh -e /etc/x", "/etc/x"},
		{"zsh", "/usr/bin/zsh", "zsh -f x.zsh", "/srv/x.zsh"},
		{"ksh with a version", "/usr/bin/ksh93", "ksh x", "/srv/x"},
		{"busybox sh", "/bin/busybox", "busybox sh x.sh", "/srv/x.sh"},
		{"busybox by its link", "/bin/busybox", "sh -c x", "-c"},
		{"busybox, another tool", "/bin/busybox", "wget http://x", ""},
		{"busybox, alone", "/bin/busybox", "busybox", ""},
		{"perl", "/usr/bin/perl5.36.0", "perl -w -I lib -Mstrict x.pl", "/srv/x.pl"},
		{"perl, inline at the end of a cluster", "/usr/bin/perl", "perl -lane print", "-e"},
		{"perl, in place", "/usr/bin/perl", "perl -pi.exe -e s/a/b/ file", "-e"},
		{"perl, debugger", "/usr/bin/perl", "perl -d:Trace x.pl", "/srv/x.pl"},
		{"perl, idle debugger", "/usr/bin/perl", "perl -de1", "-e"},
		{"ruby", "/usr/bin/ruby3.1", "ruby -W:no-deprecated -r json -I lib x.rb", "/srv/x.rb"},
		{"ruby, inline", "/usr/bin/ruby", "ruby -rsocket -e puts", "-e"},
		{"ruby, long", "/usr/bin/ruby", "ruby --encoding utf-8 --yjit x.rb", "/srv/x.rb"},
		{"node", "/usr/bin/node", "node --max-old-space-size=4096 x.js", "/srv/x.js"},
		{"node, preloads", "/usr/bin/nodejs", "nodejs -r ./a.js --require b --import c x.js", "/srv/x.js"},
		{"node, inline", "/usr/bin/node", "node -e 1", "-e"},
		{"node, print", "/usr/bin/node", "node -pe 1", "-e"},
		{"node, long inline", "/usr/bin/node", "node --eval 1", "-e"},
		{"node, attached inline", "/usr/bin/node", "node --eval=1 x.js", "-e"},
		{"deno", "/usr/bin/deno", "deno run --allow-net x.ts", "/srv/x.ts"},
		{"deno, inline", "/usr/bin/deno", "deno eval 1", "-e"},
		{"bun, without the verb", "/usr/bin/bun", "bun x.ts", "/srv/x.ts"},
		{"bun, a verb", "/usr/bin/bun", "bun install", "install"},
		{"php", "/usr/bin/php8.2", "php -d a=b -c /etc/p.ini x.php", "/srv/x.php"},
		{"php, file", "/usr/bin/php", "php -f x.php -- a", "/srv/x.php"},
		{"php, inline", "/usr/bin/php", "php -n -r echo", "-r"},
		{"php-fpm is a server", "/usr/sbin/php-fpm8.2", "php-fpm: master process (/etc/php)", ""},
		{"lua", "/usr/bin/lua5.4", "lua -l socket x.lua", "/srv/x.lua"},
		{"luajit", "/usr/bin/luajit-2.1.0-beta3", "luajit -O3 -j off x.lua", "/srv/x.lua"},
		{"lua, inline", "/usr/bin/lua", "lua -e print()", "-e"},
		{"java, jar", "/usr/lib/jvm/bin/java", "java -Xmx1g -Da=b -jar app.jar -x", "/srv/app.jar"},
		{"java, class", "/usr/lib/jvm/bin/java", "java -cp a.jar:b.jar org.x.Main -jar z", "org.x.Main"},
		{"java, module", "/usr/lib/jvm/bin/java", "java -p mods --add-opens java.base/x=ALL -m a/b.C", "-m a/b.C"},
		{"java, attached open", "/usr/lib/jvm/bin/java", "java --add-opens=java.base/x=ALL b.C", "b.C"},
		{"java, source", "/usr/lib/jvm/bin/java", "java --source 21 X.java", "/srv/X.java"},
		{"R", "/usr/lib/R/bin/exec/R", "R --no-echo --no-restore --file=x.R --args y.R", "/srv/x.R"},
		{"R, inline", "/usr/lib/R/bin/exec/R", "R --no-echo -e 1", "-e"},
		{"Rscript", "/usr/bin/Rscript", "Rscript --vanilla x.R", "/srv/x.R"},
		{"tclsh", "/usr/bin/tclsh8.6", "tclsh -encoding utf-8 x.tcl", "/srv/x.tcl"},
		{"expect", "/usr/bin/expect", "expect -f x.exp", "/srv/x.exp"},
		{"awk, file", "/usr/bin/gawk", "gawk -F : -v a=b -f x.awk in", "/srv/x.awk"},
		{"awk, inline", "/usr/bin/mawk", "awk {print}", "-e"},
		{"pwsh", "/opt/microsoft/powershell/7/pwsh", "pwsh -NoProfile -ExecutionPolicy Bypass -File x.ps1", "/srv/x.ps1"},
		{"pwsh, operand", "/opt/microsoft/powershell/7/pwsh", "pwsh -nop x.ps1", "/srv/x.ps1"},
		{"pwsh, abbreviated", "/opt/microsoft/powershell/7/pwsh", "pwsh -ep bypass -w hidden -Comm Get-Date", "-c"},
		{"pwsh, encoded", "/opt/microsoft/powershell/7/pwsh", "pwsh -NonI -enc SQBFAFgA", "-c"},
		{"mono", "/usr/bin/mono-sgen", "mono --debug --config x x.exe", "/srv/x.exe"},
		{"dotnet", "/usr/bin/dotnet", "dotnet x.dll", "/srv/x.dll"},
		{"dotnet, exec", "/usr/bin/dotnet", "dotnet exec --depsfile a.json x.dll", "/srv/x.dll"},
		{"dotnet, a tool of the kit", "/usr/bin/dotnet", "dotnet build x.dll", ""},
		{"an option without its value", "/usr/bin/python3", "python3 -W", ""},
		{"a jar without its name", "/usr/bin/java", "java -jar", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, Script(tt.exe, strings.Split(tt.argv, " "), "/srv"))
		})
	}
}

func TestScriptOfHostileArguments(t *testing.T) {
	require.Empty(t, Script("/usr/bin/python3", nil, "/srv"), "no arguments at all")
	require.Empty(t, Script("/bin/busybox", []string{"busybox", ""}, "/srv"))
	require.Equal(t, "x.py", Script("/usr/bin/python3", []string{"", "x.py"}, ""), "an unknown working directory")
	require.Equal(t, `/srv/a\nb\x1b[2K\xff\u202e.py`,
		Script("/usr/bin/python3", []string{"python3", "a\nb\x1b[2K\xff\u202e.py"}, "/srv"))
	long := Script("/usr/bin/python3", []string{"python3", strings.Repeat("/ü", 4096)}, "/")
	require.LessOrEqual(t, len(long), MaxText)
	require.True(t, utf8.ValidString(long))
}

func TestIsInterpreter(t *testing.T) {
	for _, path := range []string{"/usr/bin/python3.11", "/bin/sh", "/bin/busybox", "/usr/bin/node", "/tmp/perl (deleted)",
		"/usr/bin/java", "/usr/bin/ruby3.1"} {
		require.True(t, IsInterpreter(path), path)
	}
	for _, path := range []string{"", "/usr/bin/curl", "/usr/bin/pythonista", "/usr/bin/ssh", "/usr/sbin/php-fpm8.2", "/7z"} {
		require.False(t, IsInterpreter(path), path)
	}
}

func FuzzScript(f *testing.F) {
	f.Add("/usr/bin/python3", "python3\x00-W\x00ignore\x00x.py", "/srv")
	f.Add("/bin/busybox", "busybox\x00sh\x00-c\x00x", "")
	f.Add("/usr/bin/pwsh", "pwsh\x00-", "/\xff")
	f.Add("/usr/bin/dotnet", "dotnet\x00exec", "/srv")
	f.Fuzz(func(t *testing.T, exe, argv, cwd string) {
		got := Script(exe, strings.Split(argv, "\x00"), cwd)
		require.LessOrEqual(t, len(got), MaxText)
		require.Equal(t, got, Printable(got, MaxText), "printable as it is")
		if !IsInterpreter(exe) {
			require.Empty(t, got)
		}
	})
}
