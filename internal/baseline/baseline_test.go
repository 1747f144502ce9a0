package baseline

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/test/need"

	"github.com/beaconwatch/beaconwatch/internal/inventory"
)

func row(path, address, port string, change ...string) Row {
	r := Row{"scope": "destination", "path": path, "username": "root", "uid": "0", "systemd_unit": "agent@one.service", "cgroup_path": "/system.slice/agent@one.service",
		"protocol": "6", "remote_address": address, "remote_port": port, "destination_class": "private", "first_seen": "1700000000", "last_seen": "1700060000",
		"beats": "100", "bytes_sent": "15100", "interval_ms": "60000", "jitter": "0.1", "score": "0.99", "insufficient": "0", "expected": "0", "severity": "medium",
		"reason_codes": "above_threshold,no_package,regular_timing,uniform_sizes", "suspicions": "no_package=2", "reason": "94 % of 212 gaps", "signature": path}
	for i := 0; i < len(change); i += 2 {
		r[change[i]] = change[i+1]
	}
	return r
}

func written(t *testing.T, rows ...Row) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, Write(&b, Propose(rows)))
	return b.String()
}

func fileOf(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "proposed.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// signed is a proposal with what only a person can add.
func signed(text string) string {
	return strings.NewReplacer(`comment: ""`, `comment: vouched for`, `owner: ""`, `owner: ops@example.org`, `expires: ""`, `expires: 2099-12-31`).Replace(text)
}

func TestAProposalNeedsAPerson(t *testing.T) {
	rows := []Row{row("/opt/agent", "10.0.0.7", "443"), row("/opt/agent", "10.0.0.8", "443", "interval_ms", "30000")}
	text := written(t, rows...)
	for _, want := range []string{"# evidence: 200 check-ins with 2 destinations", "# risk: no_package=2", `path: "/opt/agent"`, `systemd_unit: "agent@*.service"`,
		`{cidr: "10.0.0.7", port: 443, protocol: tcp}`, "period: 27s..66s", "name: agent\n"} {
		require.Contains(t, text, want)
	}
	_, err := ReadRules(fileOf(t, text), nil)
	require.ErrorContains(t, err, "proposed.yaml:", "as it stands it is refused, by line")
	require.ErrorContains(t, err, "would be refused")
	set, err := ReadRules(fileOf(t, signed(text)), nil)
	require.NoError(t, err)
	silenced := Silenced(set, rows, time.Now())
	require.Len(t, silenced, 2, "signed off it covers what it was made of")
	require.Equal(t, "agent", silenced[0]["silenced_by"])
}

// TestEveryNameMakesARule: what a proposal says is what a rule may say, however the destination is known.
func TestEveryNameMakesARule(t *testing.T) {
	for name, want := range map[string]string{"": "cidr:", "localhost": "cidr:", "db.example.org": "domain:"} {
		rows := []Row{row("/opt/agent", "10.0.0.7", "443", "remote_hostname", name, "remote_hostname_source", "hosts")}
		text := written(t, rows...)
		require.Contains(t, text, want, name)
		set, err := ReadRules(fileOf(t, signed(text)), nil)
		require.NoError(t, err, name)
		require.Len(t, Silenced(set, rows, time.Now()), 1, name)
	}
}

func TestWhatIfSilencesNothingElse(t *testing.T) {
	set, err := ReadRules(fileOf(t, signed(written(t, row("/opt/agent", "10.0.0.7", "443")))), nil)
	require.NoError(t, err)
	for name, r := range map[string]Row{
		"another program":     row("/opt/implant", "10.0.0.7", "443"),
		"another destination": row("/opt/agent", "203.0.113.5", "443"),
		"another port":        row("/opt/agent", "10.0.0.7", "8443"),
		"another period":      row("/opt/agent", "10.0.0.7", "443", "interval_ms", "5000"),
		"another user":        row("/opt/agent", "10.0.0.7", "443", "username", "www-data", "uid", "33"),
		"expected already":    row("/opt/agent", "10.0.0.7", "443", "expected", "1"),
		"its file is gone":    row("/opt/agent (deleted)", "10.0.0.7", "443"),
		"something preloaded": row("/opt/agent", "10.0.0.7", "443", "suspicions", "preload=4"),
	} {
		require.Empty(t, Silenced(set, []Row{r}, time.Now()), name)
	}
}

func TestWhatNobodyShouldSignIsNotProposed(t *testing.T) {
	for _, r := range []Row{
		row("/memfd:x (deleted)", "10.0.0.7", "443"),
		row("/opt/agent (deleted)", "10.0.0.7", "443"),
		row("/tmp/agent", "10.0.0.7", "443", "suspicions", "no_package=2,world_writable_path=4"),
		row("/usr/bin/python3.11", "10.0.0.7", "443", "script", "-c"),
		row("/usr/bin/curl", "203.0.113.5", "443", "destination_class", "public", "reason_codes", "general_purpose_tool"),
		row("/opt/**", "10.0.0.7", "443"),
		row("/tmp/update/agent", "10.0.0.7", "443"), // what the inventory would refuse, however it is signed
		row("/usr/bin/python3.11", "10.0.0.7", "443", "script", "/tmp/update/beacon.py"),
	} {
		text := written(t, r)
		require.Contains(t, text, "no rule is proposed", r["path"])
		require.NotContains(t, text, "verdict:", r["path"])
		require.Contains(t, text, "# instead: ", r["path"])
	}
	require.Contains(t, written(t, row("/opt/agent", "10.0.0.7", "443", "expected", "1", "rule", "agent", "rule_source", "operator")), "expected already, by operator agent")
	require.Empty(t, Propose([]Row{{"scope": "destination"}, row("/opt/agent", "10.0.0.7", "443", "scope", "process")}))
}

func TestProposalThatWouldNotDoSaysSo(t *testing.T) {
	require.NotContains(t, written(t, row("/opt/agent", "10.0.0.7", "443")), "would not make it expected")
	require.Contains(t, written(t, row("/opt/agent", "10.0.0.7", "443", "suspicions", "preload=3")), "# risk: as it stands the rule would not make it expected")
}

func TestProposalsOfManyHostsAreOne(t *testing.T) {
	var rows []Row
	for _, host := range []string{"web-1", "web-2", "web-3"} {
		rows = append(rows, row("/opt/agent", "10.0.0.7", "443", "reporter", host))
	}
	proposals := Propose(rows)
	require.Len(t, proposals, 1)
	require.Contains(t, proposals[0].Evidence, "seen on 3 hosts")
	require.Len(t, proposals[0].Destinations, 1)
}

func TestContainersAreProposedByWhatStays(t *testing.T) {
	in := func(image, name string) Row {
		return row("/app/poller", "10.0.0.7", "443", "container_id", "c1", "container_image", image, "container_name", name, "systemd_unit", "", "suspicions", "mounted_over=3")
	}
	for want, rows := range map[string][]Row{
		`container_name: "shop/*/poller"`:                  {in("registry.example.org/poller:3", "shop/poller-a/poller"), in("registry.example.org/poller:3", "shop/poller-b/poller")},
		`container_image: "registry.example.org/poller:3"`: {in("registry.example.org/poller:3", "brave_bohr"), in("registry.example.org/poller:3", "calm_hopper")},
		`container_name: "poller"`:                         {in("", "poller")},
	} {
		text := written(t, rows...)
		require.Contains(t, text, want)
		require.Equal(t, 1, strings.Count(text, "- name:"), text)
		require.NotContains(t, text, "brave_bohr")
		set, err := ReadRules(fileOf(t, signed(text)), nil)
		require.NoError(t, err)
		require.Len(t, Silenced(set, rows, time.Now()), len(rows))
		require.Empty(t, Silenced(set, []Row{in("registry.example.org/other:3", "test/poller-a/poller")}, time.Now()))
	}
	require.Contains(t, written(t, in("", "")), "neither image nor name is known")
}

func FuzzProposalsAreRules(f *testing.F) {
	f.Add("/opt/a\n  owner: x", "svc: #", "evil.example\n- {}", "reason\nrules:", int64(1))
	f.Fuzz(func(t *testing.T, path, unit, name, reason string, ms int64) {
		r := row("/"+path, "10.0.0.7", "443", "systemd_unit", unit, "remote_hostname", name, "reason", reason)
		r["interval_ms"] = time.Duration(ms).String()
		var b strings.Builder
		require.NoError(t, Write(&b, Propose([]Row{r})))
		set, err := inventory.Parse("proposed.yaml", []byte(signed(b.String())), nil)
		require.NoError(t, err, "what would be refused is not proposed, whatever stands in a row:\n%s", b.String())
		require.LessOrEqual(t, len(set.Rules()), 1)
		require.LessOrEqual(t, strings.Count(b.String(), "\n    verdict: expected\n"), 1)
	})
}

func TestEgressAllowsWhatIsExpected(t *testing.T) {
	const unit = "agent@one.service"
	rows := []Row{row("/opt/agent", "10.0.0.7", "443", "expected", "1", "rule", "agent"), row("/opt/agent", "2001:db8::7", "853", "expected", "1", "rule", "agent"),
		row("/opt/agent", "203.0.113.5", "443", "reason", "line one\nline two"), row("/opt/other", "203.0.113.6", "443", "systemd_unit", "other.service")}
	var b strings.Builder
	require.NoError(t, Restrict(unit, rows).Write(&b))
	text := b.String()
	for _, want := range []string{"would have blocked 1 destination:", "/opt/agent to 203.0.113.5:443, 14.75 KiB in 100 check-ins", "IPAddressDeny=any", "IPAddressAllow=10.0.0.7",
		"IPAddressAllow=2001:db8::7", `socket cgroupv2 level 2 "system.slice/agent@one.service"`, "10.0.0.7 . tcp . 443"} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "203.0.113.6")

	t.Run("nft takes it", func(t *testing.T) {
		nft, err := exec.LookPath("nft")
		if err != nil {
			need.Skip(t, "nft is not installed: %v", err)
		}
		_, table, found := strings.Cut(text, "table inet beaconwatch_egress {")
		require.True(t, found)
		// the control group of the example is not on this host: checked without it, everything else is
		check := exec.Command(nft, "-c", "-f", "-")
		check.Stdin = strings.NewReader(strings.ReplaceAll("table inet beaconwatch_egress {"+table, `socket cgroupv2 level 2 "system.slice/agent@one.service" `, ""))
		out, err := check.CombinedOutput()
		if err != nil && strings.Contains(string(out), "Operation not permitted") {
			t.Skip("nft may not ask this kernel:", string(out))
		}
		require.NoError(t, err, string(out))
	})
}
