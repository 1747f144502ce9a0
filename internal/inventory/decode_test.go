package inventory

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// reviewed is what every rule of an operator says beside its match.
const reviewed = "    comment: why\n    owner: ops@example.org\n    expires: 2027-06-30\n"

const fullRule = `role: [web server, bastion]
rules:
  - name: nightly-backup
    comment: >-
      restic to the NAS,
      see RUN-12
    owner: storage@example.org
    expires: 2027-06-30
    reference: https://example.org/backup
    program:
      path: [/opt/restic/restic, /usr/local/bin/restic]
      sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
      script: /opt/restic/*.sh
      package: restic
      systemd_unit: restic@*.service
      cgroup: /system.slice/**
      container_image: registry.example.org/restic:*
      user: [backup, 997]
      parent: /usr/lib/systemd/systemd
    destinations:
      - {cidr: [10.20.0.0/16, "2001:db8::/32"], port: [8000, 9000-9100], protocol: tcp}
      - {domain: backup.example.org, port: 443}
      - {class: same_subnet}
    period: [5m..1h, 1d]
    tolerate: preload
`

func TestDecodeFullRule(t *testing.T) {
	file, findings := decode("f.yaml", Operator, []byte(fullRule))
	require.Empty(t, findings)
	require.Equal(t, []string{"web server", "bastion"}, file.roles)
	require.Len(t, file.rules, 1)
	r := file.rules[0]
	require.Equal(t, "nightly-backup", r.Name)
	require.Equal(t, "restic to the NAS, see RUN-12", r.Comment)
	require.Equal(t, time.Date(2027, 7, 1, 0, 0, 0, 0, time.UTC), r.Expires, "the last day is included")
	require.Equal(t, 3, r.Line)
	require.Equal(t, 11, r.Column)
	require.Equal(t, "path /opt/restic/restic or /usr/local/bin/restic, "+
		"sha256 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef, script /opt/restic/*.sh, "+
		"systemd_unit restic@*.service, cgroup /system.slice/**, container_image registry.example.org/restic:*, "+
		"package restic, user backup or 997, parent /usr/lib/systemd/systemd", r.Program())
	require.Equal(t, "protocol tcp cidr 10.20.0.0/16 or 2001:db8::/32 port 8000 or 9000-9100; domain backup.example.org port 443; class same_subnet",
		r.Destinations())
	require.Equal(t, "5m..1h, 24h", r.Period())
	require.Equal(t, []Code{Preload}, r.tolerates)
}

func TestErrorsNameThePlace(t *testing.T) {
	rule := func(lines string) string { return "rules:\n  - name: x\n" + reviewed + lines }
	program := "    program: {path: /opt/x}\n"
	anywhere := "    destinations: any\n    period: any\n"
	tests := []struct{ name, text, want string }{
		{"no rules", "role: web\n", "f.yaml:1:1: the file has no rules"},
		{"rules no list", "rules: 7\n", "f.yaml:1:8: rules must be a list"},
		{"not a mapping", "- a\n", "f.yaml:1:1: the file must be a mapping of keys to values"},
		{"broken", "rules: [\n", "f.yaml:1:8: "},
		{"unquoted star", "rules:\n  - name: *\n", `text that begins with * or & needs quotes`},
		{"unknown key", rule(program + anywhere + "    prot: tcp\n"), `f.yaml:9:5: a rule has no key "prot"; known are comment, destinations,`},
		{"unknown program key", rule("    program:\n      path: /opt/x\n      exe: /opt/y\n" + anywhere), `f.yaml:8:7: program has no key "exe"`},
		{"twice", rule(program + program + anywhere), `f.yaml:7:5: mapping key "program" already defined`},
		{"name", "rules:\n  - name: A b\n", `f.yaml:2:11: the name "A b" must be`},
		{"missing", "rules:\n  - name: x\n", "f.yaml:2:11: the rule has no program: say which program it is about"},
		{"no owner", "rules:\n  - name: x\n    comment: y\n    expires: 2027-01-01\n" + program + anywhere, "f.yaml:2:11: the rule has no owner: say whom to ask"},
		{"date", rule("    expires: tomorrow\n"), "f.yaml:6:5: mapping key"},
		{"not a date", "rules:\n  - name: x\n    expires: tomorrow\n", `f.yaml:3:14: "tomorrow" is no date such as 2027-06-30`},
		{"verdict", rule(program + anywhere + "    verdict: maybe\n"), `f.yaml:9:14: the verdict is expected (the default) or unexpected, not "maybe"`},
		{"no program", rule("    program: {user: root}\n" + anywhere), "f.yaml:2:11: the rule names no program"},
		{"relative path", rule("    program: {path: agent}\n" + anywhere), `f.yaml:6:21: "agent" must be an absolute path`},
		{"everything", rule("    program: {path: /**}\n" + anywhere), `f.yaml:6:21: "/**" begins with a wildcard`},
		{"open directory", rule("    program: {path: /tmp/agent}\n" + anywhere), `f.yaml:6:21: "/tmp/agent" is in a directory where anybody may put a program`},
		{"deleted", rule("    program: {path: '/opt/x (deleted)'}\n" + anywhere), "f.yaml:6:21: leave"},
		{"hash", rule("    program: {path: /opt/x, sha256: abc}\n" + anywhere), "f.yaml:6:37: sha256 must be 64 hexadecimal digits"},
		{"network", rule(program + "    destinations: [{cidr: 10.0.0.1/8}]\n    period: any\n"), "f.yaml:7:27: 10.0.0.1/8 has bits behind its length: write 10.0.0.0/8"},
		{"port", rule(program + "    destinations: [{port: 0}]\n    period: any\n"), `f.yaml:7:27: "0" is no port`},
		{"protocol", rule(program + "    destinations: [{protocol: quic}]\n    period: any\n"), `f.yaml:7:31: "quic" is no protocol`},
		{"icmp port", rule(program + "    destinations: [{protocol: icmp, port: 1}]\n    period: any\n"), `icmp has no ports`},
		{"domain", rule(program + "    destinations: [{domain: '*.example.org'}]\n    period: any\n"), `f.yaml:7:29: "*.example.org" is no domain`},
		{"class", rule(program + "    destinations: [{class: internet}]\n    period: any\n"), `f.yaml:7:28: "internet" is no destination class`},
		{"empty destination", rule(program + "    destinations: [{}]\n    period: any\n"), `f.yaml:7:20: an empty destination`},
		{"empty list", rule(program + "    destinations: []\n    period: any\n"), `f.yaml:7:19: an empty list`},
		{"period", rule(program + "    destinations: any\n    period: often\n"), `f.yaml:8:13: "often" is no period`},
		{"backwards", rule(program + "    destinations: any\n    period: 5m..1m\n"), `f.yaml:8:13: the range 5m..1m ends before it begins`},
		{"any beside", rule(program + "    destinations: any\n    period: [any, 1m]\n"), `any beside other periods`},
		{"tolerate", rule(program + anywhere + "    tolerate: no_package\n"), `f.yaml:9:15: "no_package" cannot be tolerated; one can tolerate memfd_executable`},
		{"anchor", rule("    program: {path: &p /opt/x}\n" + anywhere), "f.yaml:6:21: anchors, aliases and tags are not read"},
		{"missing value", rule("    program: {path: }\n" + anywhere), "a value is missing here"},
		{"documents", rule(program+anywhere) + "---\nrules: []\n", "one document a file, this is the second"},
		{"shipped keys", rule(program + anywhere + "    updates_itself: true\n"), "updates_itself is for shipped entries"},
		{"deep", "rules: " + strings.Repeat("[", 1000), "f.yaml:1:1: the file nests deeper than 32"},
		{"deep under comments", "# {\n #[\nrules: [ # [\n" + strings.Repeat("[", 1000), "f.yaml:1:1: the file nests deeper than 32"},
		{"deep list", strings.Repeat("- ", 1000), "f.yaml:1:1: the file nests deeper than 32"},
		{"large", "#" + strings.Repeat(" ", maxFileBytes), "f.yaml:1:1: the file has 1048577 bytes, at most 1048576 are read"},
		{"control character", "rules:\n  - name: \"a\\x1b[0m\"\n", "f.yaml:2:11: control characters"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file, findings := decode("f.yaml", Operator, []byte(tt.text))
			require.Empty(t, file.rules, "a bad file is of no use")
			require.NotEmpty(t, findings)
			require.Contains(t, Invalid(findings).Error(), tt.want)
			for _, f := range findings {
				require.NotContains(t, f.String(), "\n")
			}
		})
	}
}

func TestGeneralPurposeToolsNeedADestinationOrAScript(t *testing.T) {
	tests := []struct {
		name, program, destinations string
		refused                     bool
	}{
		{"curl anywhere", "path: /usr/bin/curl", "any", true},
		{"a port is no destination", "path: /usr/bin/curl", "[{port: 443}]", true},
		{"the Internet is no destination", "path: /usr/bin/curl", "[{cidr: 0.0.0.0/0}]", true},
		{"public is no destination", "path: /usr/bin/curl", "[{class: public}]", true},
		{"one of two destinations is none", "path: /usr/bin/curl", "[{cidr: 10.0.0.0/8}, {port: 443}]", true},
		{"a network", "path: /usr/bin/curl", "[{cidr: 10.0.0.0/8}]", false},
		{"a domain", "path: /usr/bin/curl", "[{domain: example.org}]", false},
		{"private addresses", "path: /usr/bin/curl", "[{class: private}]", false},
		{"python anywhere", "path: /usr/bin/python3.11", "any", true},
		{"a script", "{path: /usr/bin/python3.11, script: /opt/report.py}", "any", false},
		{"inline code is no script", "{path: /usr/bin/python3.11, script: -c}", "any", true},
		{"a module is no script", "{path: /usr/bin/python3.11, script: '-m http.server'}", "any", true},
		{"a glob that reaches curl", "path: /usr/bin/*", "any", true},
		{"a glob that reaches everything there", "path: /usr/**", "any", true},
		{"a glob over one's own directory", "path: /opt/acme/**", "any", false},
		{"a tool of one's own directory", "path: /opt/acme/bin/python3", "any", true},
		{"a tool wherever it is", "path: /opt/*/bin/nc", "any", true},
		{"busybox", "path: /bin/busybox", "any", true},
		{"ssh", "path: /usr/bin/ssh", "any", true},
		{"netcat", "path: /usr/bin/nc.openbsd", "any", true},
		{"socat", "path: /usr/bin/socat", "any", true},
		{"openssl", "path: /usr/bin/openssl", "any", true},
		{"wget", "path: /usr/bin/wget", "any", true},
		{"an editor with an interpreter in it", "path: /usr/bin/vim.basic", "any", true},
		{"the dynamic loader", "path: /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "any", true},
		{"the dynamic loader with a program", "{path: /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2, script: /opt/acme/bin/acme}", "any", false},
		{"a unit", "systemd_unit: acme.service", "any", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			program := tt.program
			if program[0] != '{' {
				program = "{" + program + "}"
			}
			text := "rules:\n  - name: x\n" + reviewed + "    program: " + program + "\n    destinations: " + tt.destinations + "\n    period: 1m\n"
			_, findings := decode("f.yaml", Operator, []byte(text))
			if !tt.refused {
				require.Empty(t, findings)
				return
			}
			require.Len(t, findings, 1)
			require.Contains(t, findings[0].String(), "f.yaml:2:11: ")
			require.Contains(t, findings[0].Text, "does whatever it is told, so expecting it to talk expects every implant that uses it")
		})
	}
}

func TestEqualRulesHaveEqualFingerprints(t *testing.T) {
	print := func(text string) string {
		file, findings := decode("f.yaml", Operator, []byte(text))
		require.Empty(t, findings)
		return file.rules[0].fingerprint
	}
	other := strings.Replace(fullRule, "period: [5m..1h, 1d]", `period: ["300s..60m", '24h']`, 1)
	require.NotEqual(t, fullRule, other)
	require.Equal(t, print(fullRule), print(other), "the same in other words")
	require.NotEqual(t, print(fullRule), print(strings.Replace(fullRule, "port: 443", "port: 444", 1)))
	require.NotEqual(t, print(fullRule), print(strings.Replace(fullRule, "2027-06-30", "2028-06-30", 1)))
}

func FuzzDecode(f *testing.F) {
	f.Add(fullRule)
	f.Add("rules:\n  - name: x\n" + reviewed)
	f.Add("a: &a [*a]\n? : ]")
	f.Add("rules: [{name: x, program: {path: [/a, /b*]}, destinations: [{cidr: ::/0}], period: 1d..2d}]")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<12 {
			return
		}
		for _, source := range []Source{Operator, Catalogue} {
			file, findings := decode("f.yaml", source, []byte(text))
			if len(findings) > 0 {
				require.Empty(t, file.rules)
			}
			require.LessOrEqual(t, len(findings), maxFindings)
			for _, found := range findings {
				require.NotContains(t, found.String(), "\n")
				require.Positive(t, found.Line)
				require.Positive(t, found.Column)
			}
			for _, r := range file.rules {
				require.NotEmpty(t, r.fingerprint)
				require.True(t, r.within(r), "a rule is within itself")
				require.True(t, r.overlaps(r))
			}
			if len(findings) == 0 {
				if set, _ := newSet(file.rules); set != nil {
					set.Judge(&Subject{})
				}
			}
		}
	})
}
