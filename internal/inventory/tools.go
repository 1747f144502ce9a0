package inventory

import (
	"strings"

	"github.com/beaconwatch/beaconwatch/internal/process"
)

// tools are programs that do whatever their arguments say, over the network, besides the interpreters that
// process.IsInterpreter knows. Expecting one of these to talk expects everybody who can start it.
var tools = map[string]bool{
	"curl": true, "wget": true, "aria2c": true, "axel": true, "lynx": true, "w3m": true, "links": true, "elinks": true,
	"ssh": true, "scp": true, "sftp": true, "autossh": true, "dbclient": true, "plink": true, "rsync": true, "rclone": true,
	"nc": true, "nc.openbsd": true, "nc.traditional": true, "ncat": true, "netcat": true, "socat": true, "websocat": true,
	"openssl": true, "gnutls-cli": true, "telnet": true, "ftp": true, "lftp": true, "ncftp": true, "tftp": true, "tnftp": true,
	"dig": true, "nslookup": true, "host": true, "kdig": true, "drill": true, "delv": true,
	"ping": true, "nping": true, "hping": true, "nmap": true, "busybox": true, "toybox": true, "gdb": true,
	"wget2": true, "whois": true, "finger": true, "rsh": true, "rlogin": true, "smbclient": true, "sshfs": true, "ab": true,
	"vim": true, "vim.basic": true, "vim.nox": true, "nvim": true, "emacs": true, "julia": true,
	"git": true, "git-remote-http": true, "git-remote-https": true, "git-remote-ftp": true,
}

// generalPurpose reports whether the executable is a general-purpose tool or an interpreter, by its name without a version.
func generalPurpose(path string) bool {
	if process.IsInterpreter(path) {
		return true
	}
	name := baseName(path)
	if tools[name] {
		return true
	}
	if i := strings.IndexAny(name, "0123456789"); i > 0 {
		return tools[strings.TrimRight(name[:i], "-.")]
	}
	return false
}

// interpreterNames stand for their kind where a pattern is checked.
var interpreterNames = []string{"sh", "bash", "dash", "zsh", "ksh", "fish", "python", "python3", "python3.11", "perl", "ruby",
	"node", "php", "lua", "java", "awk", "gawk", "mawk", "tclsh", "expect", "pwsh", "mono", "dotnet", "busybox"}

// binaryDirectories are where distributions and administrators put what everybody may start.
var binaryDirectories = []string{"/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/", "/usr/local/bin/", "/usr/local/sbin/", "/snap/bin/"}

// reachesTool returns the path of a general-purpose tool that the pattern matches: itself, or one in a directory of
// binaries. "" if there is none.
func reachesTool(g *glob) string {
	if g.literal {
		if generalPurpose(g.text) {
			return g.text
		}
		return ""
	}
	if last := g.text[strings.LastIndexByte(g.text, '/')+1:]; !strings.ContainsAny(last, "*?") && generalPurpose(last) {
		return g.text
	}
	for _, dir := range binaryDirectories {
		for _, name := range interpreterNames {
			if g.match(dir + name) {
				return dir + name
			}
		}
		for name := range tools {
			if g.match(dir + name) {
				return dir + name
			}
		}
	}
	return ""
}

// openDirectories are where anybody may put a file, hier(7) and file-hierarchy(7).
var openDirectories = []string{"/tmp/", "/var/tmp/", "/dev/shm/", "/dev/mqueue/", "/run/lock/", "/var/lock/", "/run/user/",
	"/var/crash/", "/run/shm/"}

// openDirectory reports whether a path lies in a directory that anybody may write to.
func openDirectory(path string) bool {
	return fits(openDirectories, func(dir string) bool { return strings.HasPrefix(path, dir) })
}

// hidden reports whether a directory or file on the path begins with a dot.
func hidden(path string) bool { return strings.HasPrefix(path, "/") && strings.Contains(path, "/.") }
