// Package inventory holds labelled descriptions of programs, malicious and benign, and judges them by the shipped rules and
// those an operator would have to write. It measures grades, not detection: every rhythm is given.
package inventory

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	rules "github.com/beaconwatch/beaconwatch/internal/inventory"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// now is the day on which all of them are judged.
var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// description is one program as a file of testdata tells of it.
type description struct {
	ID                 string   `yaml:"id"`
	Holdout            bool     `yaml:"holdout"`
	What               string   `yaml:"what"`
	Reference          string   `yaml:"reference"`
	Role               string   `yaml:"role"`
	Ruled              string   `yaml:"ruled"`
	Path               string   `yaml:"path"`
	Script             string   `yaml:"script"`
	Name               string   `yaml:"name"`
	Cmdline            string   `yaml:"cmdline"`
	User               string   `yaml:"user"`
	UID                uint32   `yaml:"uid"`
	Parent             string   `yaml:"parent"`
	ParentCmdline      string   `yaml:"parent_cmdline"`
	Grandparent        string   `yaml:"grandparent"`
	GrandparentCmdline string   `yaml:"grandparent_cmdline"`
	Unit               string   `yaml:"unit"`
	Container          string   `yaml:"container"`
	Image              string   `yaml:"image"`
	Package            string   `yaml:"package"`
	Manager            string   `yaml:"manager"`
	ScriptPackage      string   `yaml:"script_package"`
	Facts              []string `yaml:"facts"`
	Age                int      `yaml:"age"` // of the executable, in days
	New                []string `yaml:"new"`
	To                 []string `yaml:"to"`
	Hostname           string   `yaml:"hostname"`
	Period             string   `yaml:"period"`
	Sizes              string   `yaml:"sizes"`
	Rhythm             string   `yaml:"rhythm"` // none, or regular
}

// flags are the words that facts may have.
var flags = []string{"protected", "unprotected", "altered", "self_writable", "preload", "elsewhere", "terminal", "unexamined",
	"script_protected", "script_self"}

// read returns the programs of a file of testdata.
func read(name string) ([]description, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var file struct {
		Programs []description `yaml:"programs"`
	}
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return file.Programs, nil
}

// subject is what the inventory would be handed for the program.
func (d *description) subject() (*rules.Subject, error) {
	for _, f := range d.Facts {
		if !slices.Contains(flags, f) {
			return nil, fmt.Errorf("%s: no fact is called %q", d.ID, f)
		}
	}
	is := func(flag string) bool { return slices.Contains(d.Facts, flag) }
	changed := now.Add(-time.Duration(d.Age)*24*time.Hour - 2*time.Hour)
	s := &rules.Subject{Now: now, First: now.Add(-48 * time.Hour), Last: now, NewProgram: slices.Contains(d.New, "program"),
		NewDestination: slices.Contains(d.New, "destination"), Peers: len(d.To)}
	if s.First.Before(changed) {
		s.First = changed.Add(time.Hour) // it began soon after it was put there
	}
	s.Process = process.Info{Program: process.Program{Path: d.Path, Script: d.Script, UID: d.UID}, Name: d.Name, Cmdline: d.Cmdline,
		Username: d.User, ParentPath: d.Parent, ParentCmdline: d.ParentCmdline, GrandparentPath: d.Grandparent,
		GrandparentCmdline: d.GrandparentCmdline, SystemdUnit: d.Unit, ContainerID: d.Container}
	if d.Unit != "" {
		s.Process.CgroupPath, s.Process.Program.Workload = "/system.slice/"+d.Unit, d.Unit
	}
	if s.Process.Parent.PID = 2000; d.Parent == "/usr/lib/systemd/systemd" {
		s.Process.Parent.PID = 1
	}
	if !is("unexamined") {
		packaged, scripted := d.Package != "", d.ScriptPackage != ""
		s.Facts = process.Facts{Examined: true, EnvironRead: true, PackageKnown: true, Package: d.Package, PackageManager: d.Manager,
			Intact: packaged && !is("altered"), Altered: is("altered"), Protected: packaged && !is("unprotected") || is("protected"),
			Elsewhere: is("elsewhere"), SelfWritable: is("self_writable"), Preload: is("preload"), Terminal: is("terminal"), Image: d.Image,
			ScriptPackage: d.ScriptPackage, ScriptIntact: scripted, ScriptProtected: scripted || is("script_protected"),
			Changed: changed, FirstSeen: changed, Initial: d.Age > 7}
	}
	for _, to := range d.To {
		t, err := d.target(to)
		if err != nil {
			return nil, err
		}
		s.Targets = append(s.Targets, t)
	}
	if d.Rhythm == "none" {
		return s, nil
	}
	s.Rhythm = rules.Rhythm{Found: true, Sufficient: true, Uniform: d.Sizes == "uniform"}
	var err error
	s.Rhythm.Period, err = period(d.Period)
	return s, err
}

func period(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		d, err := time.ParseDuration(days + "h")
		return 24 * d, err
	}
	return time.ParseDuration(text)
}

// target reads udp://192.0.2.1:53.
func (d *description) target(to string) (rules.Target, error) {
	word, address, _ := strings.Cut(to, "://")
	remote, err := netip.ParseAddrPort(address)
	protocol := send.TCP
	if word == "udp" {
		protocol = send.UDP
	}
	if err != nil || protocol.String() != word {
		return rules.Target{}, fmt.Errorf("%s: %q is no destination", d.ID, to)
	}
	return rules.Target{Destination: send.Destination{Protocol: protocol, Remote: remote}, Class: send.Classify(remote.Addr(), nil), Hostname: d.Hostname}, nil
}
