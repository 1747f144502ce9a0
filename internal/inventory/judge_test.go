package inventory

import (
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

const shippedCatalogue = `rules:
  - name: chronyd
    reference: chrony.conf(5)
    program: {path: /usr/sbin/chronyd, package: chrony, user: _chrony}
    destinations: [{protocol: udp, port: 123}]
    period: 64s..1024s
  - name: unattended-upgrades
    reference: unattended-upgrade(8)
    program: {path: /usr/bin/python3.*, script: /usr/bin/unattended-upgrade, package: unattended-upgrades, user: root}
    destinations: [{protocol: tcp, port: [80, 443]}]
    period: 12h..1d
  - name: orbit
    reference: https://fleetdm.com/docs
    program: {path: /opt/orbit/bin/orbit, user: root}
    destinations: [{protocol: tcp, port: 443}]
    period: 10s..1h
    updates_itself: true
  - name: acme
    reference: acme(8)
    program: {path: /opt/acme/acme, user: root}
    destinations: [{protocol: tcp, port: 443}]
    period: 10s..1h
`

// judging loads the shipped entries above with the given operator's rules.
func judging(t testing.TB, operator string) *Set {
	rules := []*Rule{}
	for _, f := range []struct {
		source Source
		text   string
	}{{Operator, operator}, {Catalogue, shippedCatalogue}} {
		if f.text == "" {
			continue
		}
		file, findings := decode(f.source.String()+".yaml", f.source, []byte(f.text))
		require.Empty(t, findings)
		rules = append(rules, file.rules...)
	}
	set, findings := newSet(rules)
	require.Empty(t, findings)
	return set
}

func target(protocol send.Protocol, remote string) Target {
	at := netip.MustParseAddrPort(remote)
	return Target{Destination: send.Destination{Protocol: protocol, Remote: at}, Class: send.Classify(at.Addr(), nil)}
}

var regularly = Rhythm{Found: true, Sufficient: true, Uniform: true, Period: time.Minute}

// chronyd is the daemon as its package installs it, at its real period.
func chronyd() Subject {
	return Subject{
		Process: process.Info{Program: process.Program{Path: "/usr/sbin/chronyd", UID: 100, Workload: "chrony.service"}, Name: "chronyd",
			Username: "_chrony", Parent: process.ID{PID: 1}, ParentPath: "/usr/lib/systemd/systemd", SystemdUnit: "chrony.service",
			CgroupPath: "/system.slice/chrony.service"},
		Facts: process.Facts{Examined: true, EnvironRead: true, PackageKnown: true, Package: "chrony", PackageManager: "dpkg", Intact: true, Protected: true,
			Changed: now.AddDate(0, -6, 0), FirstSeen: now.AddDate(0, -3, 0)},
		Targets: []Target{target(send.UDP, "203.0.113.9:123")},
		Rhythm:  Rhythm{Found: true, Sufficient: true, Uniform: true, Period: 64 * time.Second},
		First:   now.AddDate(0, 0, -2), Last: now, Now: now,
	}
}

// implant is an unknown binary that beacons, without anything else against it.
func implant() Subject {
	return Subject{
		Process: process.Info{Program: process.Program{Path: "/opt/updater/updaterd"}, Name: "updaterd", Username: "root",
			Parent: process.ID{PID: 1}, ParentPath: "/usr/lib/systemd/systemd", SystemdUnit: "updater.service"},
		Facts:   process.Facts{Examined: true, EnvironRead: true, PackageKnown: true, Protected: true, Changed: now.AddDate(-1, 0, 0), FirstSeen: now.AddDate(0, -3, 0)},
		Targets: []Target{target(send.TCP, "198.51.100.7:443")},
		Rhythm:  regularly,
		First:   now.AddDate(0, 0, -2), Last: now, Now: now,
	}
}

func TestAnUnknownBinaryFires(t *testing.T) {
	s := implant()
	v := judging(t, "").Judge(&s)
	require.EqualValues(t, -1, v.NetworkFacing, "nobody has said")
	require.EqualValues(t, 0, v.Expected)
	require.Equal(t, Medium, v.Severity)
	require.Equal(t, "no_package=2", v.SuspicionList())
	require.Equal(t, "not expected: no rule names this program; no package lists its file", v.Reason)
}

// TestWhatRunsFromMemoryHasNoYoungFile: the same age is worth a word where there is a file, and none where there is not.
func TestWhatRunsFromMemoryHasNoYoungFile(t *testing.T) {
	s := implant()
	s.Facts.Changed, s.First = now.AddDate(0, 0, -3), now.AddDate(0, 0, -2)
	v := judging(t, "").Judge(&s)
	require.Contains(t, v.Reason, "its file has changed within the last 7 days")
	s.Process.Program.Path = "/memfd:x (deleted)"
	v = judging(t, "").Judge(&s)
	require.Contains(t, v.Reason, "without a file")
	require.NotContains(t, v.Reason, "its file")
	s.Facts.Changed = now
	v = judging(t, "").Judge(&s)
	require.NotContains(t, v.SuspicionList(), "younger_than_beacon")
}

func TestObservationChangesNothing(t *testing.T) {
	set := judging(t, "")
	s := implant()
	before := set.Judge(&s)
	s.Listens, s.Peers, s.First = true, 500, now.AddDate(0, 0, -30)
	after := set.Judge(&s)
	require.Equal(t, before.Severity, after.Severity)
	require.Equal(t, before.Expected, after.Expected)
	require.Equal(t, before.NetworkFacing, after.NetworkFacing)
	require.Equal(t, before.Weight, after.Weight)
	require.Subset(t, after.Codes, []Code{Listens, ManyPeers, LongKnown})
}

func TestTheCatalogueCannotBeBorrowed(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Subject)
		code   Code
		reason string
	}{
		{"a copy in a temporary directory", func(s *Subject) {
			s.Process.Program.Path = "/tmp/chronyd"
			s.Facts.Package, s.Facts.Intact, s.Facts.Protected = "", false, false
		}, NameAlike, "no rule names this program"},
		{"deleted", func(s *Subject) { s.Process.Program.Path += " (deleted)" }, DeletedExecutable, "its executable has been deleted"},
		{"deleted while it ran", func(s *Subject) { s.Facts.Unlinked = true }, DeletedExecutable, "its executable has been deleted"},
		{"memfd", func(s *Subject) { s.Process.Program.Path = "/memfd:chronyd (deleted)" }, MemfdExecutable, "no rule names this program"},
		{"bind mount", func(s *Subject) { s.Facts.Elsewhere = true }, MountedOver, "its path leads to another file"},
		{"a container's", func(s *Subject) { s.Process.ContainerID = "c1" }, MountedOver, "does not apply"},
		{"preload", func(s *Subject) { s.Facts.Preload = true }, Preload, "LD_PRELOAD"},
		{"another user", func(s *Subject) { s.Process.Username, s.Process.Program.UID = "nobody", 65534 }, NotVerified, "runs as nobody instead of _chrony"},
		{"altered", func(s *Subject) { s.Facts.Intact, s.Facts.Altered = false, true }, AlteredExecutable, "not the one its package installed"},
		{"another package", func(s *Subject) { s.Facts.Package = "evil" }, NotVerified, "belongs to the package evil instead of chrony"},
		{"no package, writable", func(s *Subject) { s.Facts.Package, s.Facts.Intact, s.Facts.Protected = "", false, false }, NotVerified, "others than root can replace it"},
		{"no package, changed since", func(s *Subject) {
			s.Facts.Package, s.Facts.Intact, s.Facts.Changed = "", false, now.AddDate(0, 0, -1)
		}, YoungerThanBeacon, "has changed since the beacon began"},
		{"not examined", func(s *Subject) { s.Facts = process.Facts{} }, NotExamined, "gone before it could be examined"},
		{"another port", func(s *Subject) { s.Targets = []Target{target(send.TCP, "203.0.113.9:443")} }, DestinationNotCovered, "covers other destinations only"},
	}
	set := judging(t, "")
	honest := chronyd()
	v := set.Judge(&honest)
	require.EqualValues(t, 1, v.Expected)
	require.EqualValues(t, 1, v.NetworkFacing)
	require.Equal(t, Info, v.Severity)
	require.Equal(t, "chronyd", v.Rule)
	require.Equal(t, Catalogue, v.Source)
	require.Equal(t, "expected: catalogue rule chronyd covers this program, destination and period", v.Reason)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := chronyd()
			tt.change(&s)
			v := set.Judge(&s)
			require.EqualValues(t, 0, v.Expected)
			require.GreaterOrEqual(t, v.Severity, Medium)
			require.Contains(t, v.Codes, tt.code)
			require.Contains(t, v.Reason, tt.reason)
			require.Empty(t, v.Rule)
		})
	}
}

func TestARootOwnedPathVouchesWhereNoPackageDoes(t *testing.T) {
	set := judging(t, "")
	s := chronyd()
	s.Facts.Package, s.Facts.Intact = "", false
	require.EqualValues(t, 1, set.Judge(&s).Expected)
	s.Process.Program, s.Process.Username = process.Program{Path: "/opt/orbit/bin/orbit"}, "root"
	s.Targets, s.Facts.Changed = []Target{target(send.TCP, "203.0.113.9:443")}, now
	require.EqualValues(t, 1, set.Judge(&s).Expected, "it updates itself")
	s.Process.Program.Path = "/opt/acme/acme"
	require.EqualValues(t, 0, set.Judge(&s).Expected, "it does not")
}

func TestAScriptMustBeVouchedForAsWell(t *testing.T) {
	set := judging(t, "")
	s := chronyd()
	s.Process.Program = process.Program{Path: "/usr/bin/python3.11", Script: "/usr/bin/unattended-upgrade"}
	s.Process.Username, s.Rhythm.Period = "root", 24*time.Hour
	s.Targets = []Target{target(send.TCP, "203.0.113.9:80")}
	s.Facts.Package = "python3.11-minimal"
	v := set.Judge(&s)
	require.EqualValues(t, 0, v.Expected)
	require.Contains(t, v.Reason, "its script belongs to no package that vouches for it")
	s.Facts.ScriptPackage, s.Facts.ScriptIntact = "unattended-upgrades", true
	require.EqualValues(t, 1, set.Judge(&s).Expected)
	s.Facts.ScriptAltered, s.Facts.ScriptIntact = true, false
	require.EqualValues(t, 0, set.Judge(&s).Expected)
}

func TestPeriods(t *testing.T) {
	set := judging(t, "")
	for period, want := range map[time.Duration]int8{
		64 * time.Second: 1, 58 * time.Second: 1, 1100 * time.Second: 1, 30 * time.Second: 0, 2 * time.Hour: 0} {
		s := chronyd()
		s.Rhythm.Period = period
		require.Equal(t, want, set.Judge(&s).Expected, period)
	}
	s := chronyd()
	s.Rhythm.Second = time.Second
	v := set.Judge(&s)
	require.Contains(t, v.Codes, PeriodNotCovered, "both periods must be covered")
	require.EqualValues(t, 1, v.NetworkFacing)
	s = chronyd()
	s.Rhythm = Rhythm{}
	require.EqualValues(t, 1, set.Judge(&s).Expected, "without a rhythm there is none to cover")
	s = chronyd()
	s.Targets = append(s.Targets, target(send.UDP, "203.0.113.10:123"), target(send.UDP, "203.0.113.11:123"), target(send.UDP, "203.0.113.12:123"))
	s.Rhythm.Period = 16 * time.Second
	require.EqualValues(t, 1, set.Judge(&s).Expected, "four servers polled in turn")
	s.Targets = append(s.Targets, target(send.TCP, "203.0.113.13:443"))
	require.EqualValues(t, 0, set.Judge(&s).Expected, "every destination must be covered")
	s.Targets, s.Forgotten = s.Targets[:4], true
	require.EqualValues(t, 0, set.Judge(&s).Expected, "and known")
}

func TestTheUnattributedAreNotJudged(t *testing.T) {
	s := Subject{Rhythm: regularly, Targets: []Target{target(send.TCP, "198.51.100.7:443")}, Now: now}
	v := judging(t, "").Judge(&s)
	require.EqualValues(t, -1, v.Expected)
	require.EqualValues(t, -1, v.NetworkFacing)
	require.Equal(t, Low, v.Severity)
	require.Equal(t, []Code{SizesCiphertext, Unattributed}, v.Codes)
}

func TestNoSeverityAboveLowOnTimingAlone(t *testing.T) {
	s := chronyd() // a package's program that no rule names
	s.Process.Program.Path, s.Process.Name, s.Facts.Package = "/usr/sbin/meterd", "meterd", "meterd"
	v := judging(t, "").Judge(&s)
	require.Empty(t, v.Suspicions)
	require.Equal(t, Low, v.Severity)
	for r := range severities {
		require.LessOrEqual(t, grade(false, rhythm(r), 1, 1), Low, "nor on one weak suspicion")
		require.Equal(t, Info, grade(true, rhythm(r), 100, 6))
		for column := 1; column < 4; column++ {
			require.GreaterOrEqual(t, severities[r][column], severities[r][column-1])
		}
	}
}

// TestRandomSubjects holds for whatever is put together: the verdict is in range, observation changes nothing, and only a
// rule makes expected.
func TestRandomSubjects(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	coin := func() bool { return r.IntN(2) == 0 }
	with, without := judging(t, ""), judging(t, "")
	without.index = newIndex(nil)
	expected := 0
	for range 20_000 {
		s := chronyd()
		if coin() {
			s = implant()
		}
		f := &s.Facts
		for _, b := range []*bool{&f.Elsewhere, &f.Preload, &f.Altered, &s.Rhythm.Found, &s.NewDestination} {
			*b = r.IntN(8) == 0
		}
		f.Examined, f.Intact, f.Protected, s.Rhythm.Uniform = r.IntN(4) > 0, coin(), coin(), coin()
		if v := without.Judge(&s); v.Expected == 1 || v.NetworkFacing == 1 {
			t.Fatalf("expected without a rule: %+v", s)
		}
		a := with.Judge(&s)
		s.Listens, s.Peers, s.First = true, 1000, s.First.AddDate(-1, 0, 0)
		s.Facts.Changed = s.Facts.Changed.AddDate(-2, 0, 0)
		b := with.Judge(&s)
		require.Equal(t, a.Weight, b.Weight)
		require.Equal(t, a.Expected, b.Expected)
		require.Equal(t, a.NetworkFacing, b.NetworkFacing)
		require.True(t, a.Expected != 1 || a.Severity == Info)
		require.True(t, slices.IsSorted(a.Codes))
		if a.Expected == 1 {
			expected++
			require.Equal(t, Info, a.Severity)
			require.NotEmpty(t, a.Rule)
		}
	}
	require.Greater(t, expected, 500)
}

func TestLoadShippedAndRoles(t *testing.T) {
	shipped := fstest.MapFS{
		"catalogue/time.yaml": {Data: []byte(shippedCatalogue)},
		"roles/web.yaml": {Data: []byte("role: Web-Server\nrules:\n  - name: nginx\n    reference: nginx(8)\n    program: {path: /usr/sbin/nginx}\n" +
			"    destinations: any\n    period: any\n")},
	}
	count := func(role string) int {
		set, err := Load(Files{Shipped: shipped, Dir: t.TempDir() + "/none", Optional: true, Roles: SplitRoles(role)})
		require.NoError(t, err)
		return len(set.Rules())
	}
	require.Equal(t, 4, count(""))
	require.Equal(t, 5, count("web server"))
}

func TestUnknownRolesAndDirectoriesAreRefused(t *testing.T) {
	shipped := fstest.MapFS{}
	for _, role := range []string{"web server", "bastion"} {
		shipped["roles/"+role+".yaml"] = &fstest.MapFile{Data: []byte("role: [" + role + ", base server]\nrules: []\n")}
	}
	for role, want := range map[string]string{
		"web servre":       `role "web servre": no rule file is for it (did you mean "web server"?); there are base server, bastion, web server`,
		"bastoin, bastion": `role "bastoin": no rule file is for it (did you mean "bastion"?); there are base server, bastion, web server`,
		"mainframe":        `role "mainframe": no rule file is for it; there are base server, bastion, web server`,
	} {
		_, err := Load(Files{Shipped: shipped, Roles: SplitRoles(role)})
		require.EqualError(t, err, want)
		live, err := Open(Config{Files: Files{Shipped: shipped, Roles: SplitRoles(role)}})
		require.NoError(t, err, "a sensor starts all the same")
		require.Equal(t, want, live.Status().Error)
	}
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	write(t, filepath.Join(dir, "own.yaml"), "role: mainframe\nrules: []\n")
	_, err := Load(Files{Shipped: shipped, Dir: dir, Roles: []string{"Mainframe"}})
	require.NoError(t, err, "a role may be the operator's own")

	none := filepath.Join(dir, "none")
	_, err = Load(Files{Dir: none})
	require.EqualError(t, err, none+": no such file or directory")
	_, err = Load(Files{Dir: none, Optional: true})
	require.NoError(t, err)
}

func TestNamesOfKernelThreads(t *testing.T) {
	for _, tt := range []struct {
		path, name, cmdline, pkg string
		want                     bool
	}{
		{"/opt/x/updaterd", "updaterd", "/opt/x/updaterd -d", "", false},
		{"/opt/x/updaterd", "kworker/0:1", "/opt/x/updaterd", "", true},
		{"/opt/x/updaterd", "updaterd", "[kworker/0:1]", "", true},
		{"/opt/x/updaterd", "updaterd", "[kthreadd] x", "", true},
		{"/usr/bin/celery", "celery", "[celeryd: worker]", "celery", false},
		{"/tmp/kworker", "kworker", "/tmp/kworker", "", true},
		{"/usr/bin/kauditd-collector", "kauditd-collect", "kauditd-collector", "kauditd", false},
		{"/usr/bin/[", "[", "[ -f x ]", "coreutils", false},
	} {
		s := implant()
		s.Process.Program.Path, s.Process.Name, s.Process.Cmdline, s.Facts.Package = tt.path, tt.name, tt.cmdline, tt.pkg
		require.Equal(t, tt.want, slices.Contains(suspicions(&s), KernelThreadName), tt)
	}
}

func TestLineage(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*process.Info)
		want   Code
	}{
		"a child of a web server":      {func(p *process.Info) { p.ParentPath = "/usr/sbin/php-fpm8.2" }, ParentWebServer},
		"a grandchild of a web server": {func(p *process.Info) { p.ParentPath, p.GrandparentPath = "/usr/bin/dash", "/usr/sbin/nginx" }, ParentWebServer},
		"its own worker":               {func(p *process.Info) { p.Program.Path, p.ParentPath = "/usr/sbin/nginx", "/usr/sbin/nginx" }, ""},
		"a child of Tomcat": {func(p *process.Info) {
			p.ParentPath, p.ParentCmdline = "/usr/lib/jvm/java-17/bin/java", "java org.apache.catalina.startup.Bootstrap"
		}, ParentWebServer},
		"a child of some java": {func(p *process.Info) {
			p.ParentPath, p.ParentCmdline = "/usr/lib/jvm/java-17/bin/java", "java -jar app.jar"
		}, ""},
		"a child of PostgreSQL":      {func(p *process.Info) { p.ParentPath = "/usr/lib/postgresql/15/bin/postgres" }, ParentDatabase},
		"a shell without a terminal": {func(p *process.Info) { p.ParentPath = "/usr/bin/bash" }, ParentShellNoTerminal},
		"a service":                  {func(p *process.Info) { p.Parent.PID = 1 }, ""},
		"left behind by a session":   {func(p *process.Info) { p.Parent.PID, p.SystemdUnit = 1, "session-4.scope" }, OrphanedDaemon},
		"left behind by cron":        {func(p *process.Info) { p.Parent.PID, p.SystemdUnit = 1, "cron.service" }, OrphanedDaemon},
		"cron itself": {func(p *process.Info) {
			p.Parent.PID, p.SystemdUnit, p.Program.Path = 1, "cron.service", "/usr/sbin/cron"
		}, ""},
	} {
		s := implant()
		s.Process.Parent.PID, s.Process.ParentPath = 2000, "/usr/bin/supervisord"
		tt.change(&s.Process)
		var found []Code
		for _, c := range suspicions(&s) {
			if c == ParentWebServer || c == ParentDatabase || c == ParentShellNoTerminal || c == OrphanedDaemon {
				found = append(found, c)
			}
		}
		if tt.want == "" {
			require.Empty(t, found, name)
		} else {
			require.Contains(t, found, tt.want, name)
		}
	}
}
