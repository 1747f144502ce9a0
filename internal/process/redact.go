package process

import "regexp"

// Redacted stands in place of a secret.
const Redacted = "[redacted]"

// secretWord matches the names under which programs take secrets.
const secretWord = `(?:password|passwd|passphrase|passcode|token|secret|api[-_]?key|apikey|access[-_]?key|private[-_]?key|credentials?|auth[-_]?key|bearer)`

var redactions = []struct {
	pattern     *regexp.Regexp
	replacement string
}{
	// scheme://user:password@host
	{regexp.MustCompile(`(?i)([a-z][a-z0-9+.-]*://[^\s/:@]*):[^\s@/]+@`), `${1}:` + Redacted + `@`},
	// Authorization: Bearer xyz, and X-Api-Key: xyz
	{regexp.MustCompile(`(?i)(authorization:\s*(?:[a-z]+\s+)?)\S+`), `${1}` + Redacted},
	{regexp.MustCompile(`(?i)(x-[a-z-]*(?:key|token|auth)[a-z-]*:\s*)\S+`), `${1}` + Redacted},
	// --db-password=xyz, --token xyz, -password xyz
	{regexp.MustCompile(`(?i)((?:^|\s)--?[a-z0-9_-]*` + secretWord + `[a-z0-9_-]*[=\s]\s*)[^\s-]\S*`), `${1}` + Redacted},
	// PGPASSWORD=xyz, token=xyz in a form body or query string
	{regexp.MustCompile(`(?i)([a-z0-9_]*` + secretWord + `[a-z0-9_]*=)[^\s&]+`), `${1}` + Redacted},
	// curl -u user:password, --user user:password
	{regexp.MustCompile(`((?:^|\s)(?:-u|--user|--proxy-user|-U)[=\s]?\s*[^\s:]+:)\S+`), `${1}` + Redacted},
	// mysql -pxyz, sshpass -p xyz
	{regexp.MustCompile(`((?:^|/)(?:mysql|mysqldump|mysqladmin|mariadb|mariadb-dump)\b.*?\s-p)[^\s]+`), `${1}` + Redacted},
	{regexp.MustCompile(`((?:^|/)sshpass\s+-p\s*)\S+`), `${1}` + Redacted},
}

// Redact replaces the secrets that command lines commonly carry: values of flags and assignments whose name says so,
// passwords in URLs, HTTP authorization, and the short options of curl, mysql and sshpass. It cannot know every program's
// own syntax.
func Redact(cmdline string) string {
	for _, r := range redactions {
		cmdline = r.pattern.ReplaceAllString(cmdline, r.replacement)
	}
	return cmdline
}
