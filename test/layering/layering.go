// Package layering is the import policy of the project as data: which room may import which, and which room may touch
// which third-party library. Its test fails on any edge that is not in the table.
package layering

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Module is the module path every internal import starts with.
const Module = "github.com/beaconwatch/beaconwatch"

// rooms maps a package under internal/ to the internal packages it may import. A package that is not listed may import
// nothing and may not exist: adding a room is a change of this table.
var rooms = map[string][]string{
	"boottime":    {},
	"pulse":       {},
	"ceiling":     {"pulse"},
	"governor":    {"pulse"},
	"shrink":      {},
	"figure":      {},
	"export":      {},
	"baseline":    {"figure", "inventory", "process", "send"},
	"logfile":     {},
	"jsonscan":    {},
	"process":     {},
	"beacon":      {},
	"send":        {"boottime"},
	"procfs":      {},
	"netns":       {},
	"namespace":   {"boottime", "netns", "procfs", "pulse"},
	"socket":      {},
	"sockdiag":    {"netns", "socket"},
	"procevent":   {"socket"},
	"packet":      {"netns", "socket"},
	"bpf":         {"socket"},
	"source":      {"boottime", "send", "netns", "procfs", "sockdiag", "packet", "bpf", "pulse", "shrink"},
	"attribution": {"send", "process", "procfs", "procevent", "pulse", "shrink"},
	"enrichment":  {"process", "procfs", "packet", "pulse"},
	"inventory":   {"process", "send"},
	"history":     {"boottime", "send", "process", "shrink"},
	"checkpoint":  {"boottime", "send", "process", "history"},
	"sensor":      {"boottime", "send", "process"},
	"candidate":   {"boottime", "process", "send", "history", "beacon", "inventory", "pulse"},
	"table":       {"boottime", "process", "send", "history", "candidate", "sensor", "inventory", "wire"},
	"wire":        {},
	"sqlhost":     {"pulse", "wire"},
	"shell":       {},
	"config":      {},
	"replay":      {"boottime", "send", "logfile", "jsonscan"},
	"simulate":    {},
	"terminal":    {"figure"},
	"fleet":       {"logfile", "jsonscan"},
	"pack":        {},
	"report":      {"figure"},
	"coverage":    {"figure", "simulate", "process", "procfs"},
}

// confined maps a third-party import prefix to the packages that may use it. "extension" stands for the main package.
var confined = map[string][]string{
	"github.com/osquery/osquery-go":   {"wire", "table", "sqlhost", "shell", "extension"},
	"github.com/apache/thrift":        {"wire", "sqlhost", "shell", "extension"},
	"modernc.org/sqlite":              {"sqlhost", "fleet", "enrichment"},
	"github.com/shirou/gopsutil":      {"attribution"},
	"github.com/cilium/ebpf":          {"bpf"},
	"github.com/goccy/go-yaml":        {"config", "inventory", "pack"},
	"github.com/peterh/liner":         {"shell"},
	"github.com/jedib0t/go-pretty":    {"shell"},
	"github.com/klauspost/compress":   {"logfile"},
	"charm.land":                      {"terminal"},
	"github.com/charmbracelet/x/ansi": {"terminal"},
	"gonum.org/v1/plot":               {"report"},
	"github.com/spf13/cobra":          {"extension"},
	"github.com/vishvananda/netlink":  {},
	"gonum.org/v1/gonum":              {},
	"golang.org/x/net/dns/dnsmessage": {"packet"},
	"golang.org/x/time/rate":          {"enrichment"},
	"github.com/anchore/go-rpmdb":     {"enrichment"},
}

// Package is one package of the project with what its non-test files import.
type Package struct {
	Path    string
	Imports []string
}

// Violations returns one sentence for each import in packages that the tables do not allow.
func Violations(packages []Package) []string {
	var found []string
	for _, p := range packages {
		room, isRoom := roomOf(p.Path)
		if isRoom && rooms[room] == nil {
			found = append(found, fmt.Sprintf("internal/%s is not in the import table", room))
			continue
		}
		for _, imp := range p.Imports {
			if reason := forbidden(p.Path, room, isRoom, imp); reason != "" {
				found = append(found, reason)
			}
		}
	}
	return found
}

func forbidden(from, room string, isRoom bool, imp string) string {
	short := strings.TrimPrefix(from, Module+"/")
	if target, internal := roomOf(imp); internal {
		// test code and main may import every room; a room only those of its row, or its own sub-packages
		if isRoom && target != room && !slices.Contains(rooms[room], target) {
			return fmt.Sprintf("%s may not import internal/%s", short, target)
		}
		return ""
	}
	if strings.HasPrefix(imp, Module+"/") && isRoom {
		return fmt.Sprintf("%s may not import %s: imports go from extension to rooms, never back", short,
			strings.TrimPrefix(imp, Module+"/"))
	}
	for prefix, allowed := range confined {
		if imp != prefix && !strings.HasPrefix(imp, prefix+"/") {
			continue
		}
		if strings.HasPrefix(short, "test/") || slices.Contains(allowed, room) ||
			(strings.HasPrefix(short, "extension") && slices.Contains(allowed, "extension")) {
			return ""
		}
		return fmt.Sprintf("%s may not import %s: it is confined to %s", short, prefix, strings.Join(allowed, ", "))
	}
	return ""
}

// roomOf returns the room a package path belongs to: internal/history and internal/history/historytest are both history.
func roomOf(pkg string) (string, bool) {
	rest, ok := strings.CutPrefix(pkg, Module+"/internal/")
	if !ok {
		return "", false
	}
	first, _, _ := strings.Cut(path.Clean(rest), "/")
	return first, true
}
