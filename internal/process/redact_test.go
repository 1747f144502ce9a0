package process

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRedact(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"nothing secret", "curl -s https://example.org/a?b=c", "curl -s https://example.org/a?b=c"},
		{"flag with =", "app --db-password=hunter2 --port 5", "app --db-password=[redacted] --port 5"},
		{"flag with space", "app --token s3cr3t -v", "app --token [redacted] -v"},
		{"flag without value", "app --password --verbose", "app --password --verbose"},
		{"assignment", "env PGPASSWORD=x psql", "env PGPASSWORD=[redacted] psql"},
		{"url", "git clone https://bob:hunter2@example.org/r.git", "git clone https://bob:[redacted]@example.org/r.git"},
		{"bearer", "curl -H Authorization: Bearer abc.def https://e.org", "curl -H Authorization: Bearer [redacted] https://e.org"},
		{"api key header", "curl -H X-Api-Key: abc https://e.org", "curl -H X-Api-Key: [redacted] https://e.org"},
		{"curl user", "curl -u bob:hunter2 https://e.org", "curl -u bob:[redacted] https://e.org"},
		{"form body", "curl -d user=bob&password=x&y=1 https://e.org", "curl -d user=bob&password=[redacted]&y=1 https://e.org"},
		{"mysql", "/usr/bin/mysql -u root -phunter2 db", "/usr/bin/mysql -u root -p[redacted] db"},
		{"ssh port is no secret", "ssh -p 2222 host", "ssh -p 2222 host"},
		{"sshpass", "sshpass -p hunter2 ssh host", "sshpass -p [redacted] ssh host"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, Redact(tt.in))
			require.Equal(t, tt.want, Redact(Redact(tt.in)), "redacting twice changes nothing")
		})
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("--password=")
	f.Add("https://:@")
	f.Fuzz(func(t *testing.T, s string) {
		got := Redact("app --password=hunter2 " + s)
		require.False(t, strings.Contains(got, "--password=hunter2"))
	})
}
