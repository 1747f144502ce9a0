package inventory

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// operatorRule writes a reviewed rule from its lines about program, destinations and period.
func operatorRule(name string, lines ...string) string {
	return "  - name: " + name + "\n" + reviewed + "    " + strings.Join(lines, "\n    ") + "\n"
}

// fetch is curl as a scheduled job runs it.
func fetch(remote string) Subject {
	s := implant()
	s.Process.Program = process.Program{Path: "/usr/bin/curl", Workload: "fetch.service"}
	s.Process.Name, s.Process.SystemdUnit = "curl", "fetch.service"
	s.Facts.Package, s.Facts.Intact = "curl", true
	s.Targets = []Target{target(send.TCP, remote)}
	return s
}

func TestARuleForAToolCoversItsDestinationOnly(t *testing.T) {
	set := judging(t, "rules:\n"+operatorRule("fetch", "program: {path: /usr/bin/curl, systemd_unit: fetch.service}",
		"destinations: [{cidr: 10.1.0.0/16, port: 443}]", "period: 1m"))
	s := fetch("10.1.2.3:443")
	v := set.Judge(&s)
	require.EqualValues(t, 1, v.Expected)
	require.EqualValues(t, 1, v.NetworkFacing)
	require.Equal(t, Operator, v.Source)
	require.Equal(t, "operator", v.Source.String())

	s = fetch("198.51.100.7:443")
	v = set.Judge(&s)
	require.EqualValues(t, 0, v.Expected)
	require.EqualValues(t, 0, v.NetworkFacing, "a tool with no rule for this destination")
	require.Equal(t, Medium, v.Severity)

	s = fetch("10.1.2.3:443")
	s.Process.SystemdUnit = "cron.service"
	require.EqualValues(t, 0, set.Judge(&s).Expected)
	s = fetch("10.1.2.3:443")
	s.Facts = process.Facts{}
	require.EqualValues(t, 1, set.Judge(&s).Expected, "an operator's rule needs no examination of what lives for a moment")
}

func TestABroadRuleDoesNotReachTools(t *testing.T) {
	set := judging(t, "rules:\n"+operatorRule("unit", "program: {systemd_unit: fetch.service}", "destinations: any", "period: any"))
	s := fetch("198.51.100.7:443")
	v := set.Judge(&s)
	require.EqualValues(t, 0, v.Expected)
	require.EqualValues(t, 0, v.NetworkFacing)
	require.Contains(t, v.Reason, "it names neither the script nor the destination of a general-purpose tool")
	s.Process.Program.Path = "/opt/fetch/fetchd"
	require.EqualValues(t, 1, set.Judge(&s).Expected)
}

func TestTheOperatorOverrulesTheCatalogue(t *testing.T) {
	set := judging(t, "rules:\n"+operatorRule("no-time", "verdict: unexpected", "program: {path: /usr/sbin/chronyd}", "destinations: any", "period: any")+
		operatorRule("our-time", "program: {path: /usr/sbin/chronyd}", "destinations: [{cidr: 10.0.0.0/8, port: 123}]", "period: any"))
	s := chronyd()
	v := set.Judge(&s)
	require.EqualValues(t, 0, v.Expected)
	require.Equal(t, "no-time", v.Rule)
	require.Contains(t, v.Codes, RuledOut)
	require.Equal(t, "not expected: operator rule no-time says so", v.Reason)
	s.Targets = []Target{target(send.UDP, "10.3.2.1:123")}
	v = set.Judge(&s)
	require.EqualValues(t, 1, v.Expected, "an exception within the other rule")
	require.Equal(t, "our-time", v.Rule)
}

func TestContradictionsAreRefused(t *testing.T) {
	contradict := func(a, b string) []Finding {
		file, findings := decode("f.yaml", Operator, []byte("rules:\n"+operatorRule("a", a, "period: any")+operatorRule("b", "verdict: unexpected", b, "period: any")))
		require.Empty(t, findings)
		_, findings = newSet(file.rules)
		return findings
	}
	findings := contradict("program: {path: /opt/a*}\n    destinations: any", "program: {path: /opt/*a}\n    destinations: any")
	require.Len(t, findings, 1)
	require.Equal(t, "f.yaml:9:11: the rule b rules out what a at f.yaml:2 expects, and neither is an exception within the other", findings[0].String())
	require.Len(t, contradict("program: {path: /opt/a}\n    destinations: any", "program: {path: /opt/a}\n    destinations: any"), 1, "equal")
	require.Empty(t, contradict("program: {path: /opt/a}\n    destinations: any", "program: {path: /opt/*}\n    destinations: any"), "an exception")
	require.Empty(t, contradict("program: {path: /opt/a}\n    destinations: any", "program: {path: /opt/b}\n    destinations: any"), "nothing in common")
	require.Empty(t, contradict("program: {path: /opt/a}\n    destinations: [{port: 80}]", "program: {path: /opt/a}\n    destinations: [{port: 443}]"))
	require.Len(t, contradict("program: {path: /opt/a}\n    destinations: [{cidr: 10.0.0.0/8}]", "program: {path: /opt/a}\n    destinations: [{port: 443}]"), 1)

	file, found := decode("f.yaml", Operator, []byte("rules:\n"+strings.Repeat(operatorRule("a", "program: {path: /opt/a}", "destinations: any", "period: any"), 2)))
	require.Empty(t, found)
	_, found = newSet(file.rules)
	require.Len(t, found, 1)
	require.Contains(t, found[0].String(), "f.yaml:9:11: the name a is taken by the rule at f.yaml:2")
}

func TestAnExpiredRuleNoLongerHolds(t *testing.T) {
	set := judging(t, "rules:\n"+operatorRule("updater", "program: {path: /opt/updater/updaterd}", "destinations: any", "period: 1m"))
	s := implant()
	require.EqualValues(t, 1, set.Judge(&s).Expected)
	s.Now = time.Date(2027, 6, 30, 23, 59, 59, 0, time.UTC)
	require.EqualValues(t, 1, set.Judge(&s).Expected)
	require.Empty(t, set.Expired(s.Now))
	s.Now = s.Now.Add(time.Second)
	v := set.Judge(&s)
	require.EqualValues(t, 0, v.Expected)
	require.EqualValues(t, -1, v.NetworkFacing)
	require.Contains(t, v.Codes, RuleExpired)
	require.Contains(t, v.Reason, "operator rule updater expired after 2027-06-30")
	require.Equal(t, "operator.yaml:2:11: the rule updater expired after 2027-06-30 and does not apply: renew or remove it", set.Expired(s.Now)[0].String())
}

func TestWhatNoRuleSurvivesCanBeTolerated(t *testing.T) {
	rule := []string{"program: {path: /opt/updater/updaterd}", "destinations: any", "period: 1m"}
	plain := judging(t, "rules:\n"+operatorRule("updater", rule...))
	tolerant := judging(t, "rules:\n"+operatorRule("updater", append(rule, "tolerate: [preload, deleted_executable]")...))
	for code, change := range map[Code]func(*Subject){
		Preload:           func(s *Subject) { s.Facts.Preload = true },
		DeletedExecutable: func(s *Subject) { s.Process.Program.Path += deletedSuffix },
		MountedOver:       func(s *Subject) { s.Facts.Elsewhere = true },
	} {
		s := implant()
		change(&s)
		v := plain.Judge(&s)
		require.EqualValues(t, 0, v.Expected, code)
		require.Contains(t, v.Codes, code)
		require.Equal(t, code != MountedOver, tolerant.Judge(&s).Expected == 1, code)
	}
}

func TestContainersAreNamedByImageNameOrCgroup(t *testing.T) {
	set := judging(t, "rules:\n"+operatorRule("sidecar", "program: {path: /app/sidecar, container_image: 'registry.example.org/sidecar:*'}",
		"destinations: any", "period: any"))
	s := implant()
	s.Process.Program.Path, s.Process.ContainerID, s.Facts.Elsewhere = "/app/sidecar", "c1", true
	require.EqualValues(t, 0, set.Judge(&s).Expected)
	s.Facts.Image = "registry.example.org/sidecar:1.2"
	v := set.Judge(&s)
	require.EqualValues(t, 1, v.Expected)
	require.Contains(t, v.Codes, InContainer)

	set = judging(t, "rules:\n"+operatorRule("sidecar", "program: {path: /app/sidecar, container_name: shop/*/sidecar}", "destinations: any", "period: any"))
	for name, want := range map[string]int8{"": 0, "shop/sidecar-7f9c/sidecar": 1, "test/sidecar-7f9c/sidecar": 0, "shop/sidecar": 0, "sidecar": 0} {
		s.Facts.ContainerName = name
		require.Equal(t, want, set.Judge(&s).Expected, name)
	}
}

func TestDomainsNeedAName(t *testing.T) {
	set := judging(t, "rules:\n"+operatorRule("updater", "program: {path: /opt/updater/updaterd}", "destinations: [{domain: example.org}]", "period: 1m"))
	for name, want := range map[string]int8{"": 0, "example.org": 1, "updates.Example.ORG.": 1, "badexample.org": 0, "example.org.evil.test": 0} {
		s := implant()
		s.Targets[0].Hostname = name
		require.Equal(t, want, set.Judge(&s).Expected, name)
	}
}

func TestARuleWithoutAFileDoesNotReachTemporaryDirectories(t *testing.T) {
	set := judging(t, "rules:\n"+operatorRule("unit", "program: {systemd_unit: updater.service}", "destinations: any", "period: any"))
	s := implant()
	require.EqualValues(t, 1, set.Judge(&s).Expected)
	s.Process.Program.Path = "/tmp/x"
	v := set.Judge(&s)
	require.EqualValues(t, 0, v.Expected)
	require.Contains(t, v.Reason, "operator rule unit does not apply: it names no file, and it runs from a directory that anybody may write to")
}

func TestOneFileAlone(t *testing.T) {
	rule := "role: web server\nrules:\n" + operatorRule("updater", "program: {path: /opt/updater/updaterd}", "destinations: any", "period: 1m")
	s, time := implant(), chronyd()
	set, err := Parse("what-if.yaml", []byte(rule), []string{"web server"})
	require.NoError(t, err)
	require.EqualValues(t, 1, set.Judge(&s).Expected)
	require.EqualValues(t, 0, set.Judge(&time).Expected, "without a catalogue")
	set, err = Parse("what-if.yaml", []byte(rule), []string{"bastion"})
	require.NoError(t, err)
	require.EqualValues(t, 0, set.Judge(&s).Expected)
	_, err = Parse("what-if.yaml", []byte("rules:\n"+operatorRule("x", "program: {path: /usr/bin/curl}", "destinations: any", "period: 1m")), nil)
	require.ErrorContains(t, err, "what-if.yaml:2:11: /usr/bin/curl does whatever it is told")
}
