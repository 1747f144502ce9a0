package pack

import (
	"fmt"

	"github.com/goccy/go-yaml"
)

// fleetReport and fleetPolicy are items of the lists that Fleet's GitOps files hold or refer to:
// https://fleetdm.com/docs/configuration/yaml-files (QuerySpec in fleetdm/fleet server/fleet/queries.go).
type fleetReport struct {
	Name               string `yaml:"name"`
	Description        string `yaml:"description"`
	Query              string `yaml:"query"`
	Interval           int    `yaml:"interval"`
	Platform           string `yaml:"platform"`
	Logging            string `yaml:"logging"`
	AutomationsEnabled bool   `yaml:"automations_enabled"`
	ObserverCanRun     bool   `yaml:"observer_can_run"`
}

type fleetPolicy struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
	Resolution  string `yaml:"resolution"`
	Query       string `yaml:"query"`
	Platform    string `yaml:"platform"`
	Critical    bool   `yaml:"critical"`
}

// FleetReports writes the list of scheduled queries; the file is the same for Fleet 4.83 and later (reports) and before
// (queries).
func FleetReports(queries []Query) ([]byte, error) {
	var list []fleetReport
	for _, q := range queries {
		logging := "differential"
		switch {
		case q.Snapshot:
			logging = "snapshot"
		case !q.KeepRemoved:
			logging = "differential_ignore_removals"
		}
		list = append(list, fleetReport{Name: q.Name, Description: q.Purpose, Query: q.SQL + ";", Interval: q.Interval,
			Platform: q.Platform, Logging: logging, AutomationsEnabled: true, ObserverCanRun: true})
	}
	return fleetYAML(list)
}

// FleetPolicies writes the list of policies.
func FleetPolicies(queries []Query) ([]byte, error) {
	var list []fleetPolicy
	for _, q := range queries {
		list = append(list, fleetPolicy{Name: q.Title(), Description: q.Value, Resolution: q.Resolution, Query: q.SQL + ";",
			Platform: q.Platform})
	}
	return fleetYAML(list)
}

// fleetFile is a file for one fleet (a team, before 4.83) that refers to the lists.
type fleetFile struct {
	Name         string      `yaml:"name"`
	Settings     *fleetOwner `yaml:"settings,omitempty"`
	TeamSettings *fleetOwner `yaml:"team_settings,omitempty"`
	AgentOptions *fleetAgent `yaml:"agent_options"`
	Controls     *struct{}   `yaml:"controls"`
	Reports      []fleetPath `yaml:"reports,omitempty"`
	Queries      []fleetPath `yaml:"queries,omitempty"`
	Policies     []fleetPath `yaml:"policies"`
	Software     *struct{}   `yaml:"software"`
}

type fleetOwner struct {
	Secrets []fleetSecret `yaml:"secrets"`
}

type fleetSecret struct {
	Secret string `yaml:"secret"`
}

type fleetAgent struct {
	Config fleetConfig `yaml:"config"`
}

type fleetConfig struct {
	Decorators fleetDecorators `yaml:"decorators"`
	Options    fleetOptions    `yaml:"options"`
}

type fleetDecorators struct {
	Load []string `yaml:"load"`
}

// fleetOptions are those of Fleet's own example: a fleet's agent options replace the default ones.
type fleetOptions struct {
	DisableDistributed        bool   `yaml:"disable_distributed"`
	DistributedInterval       int    `yaml:"distributed_interval"`
	DistributedPlugin         string `yaml:"distributed_plugin"`
	DistributedTLSMaxAttempts int    `yaml:"distributed_tls_max_attempts"`
	LoggerTLSEndpoint         string `yaml:"logger_tls_endpoint"`
	LoggerTLSPeriod           int    `yaml:"logger_tls_period"`
	PackDelimiter             string `yaml:"pack_delimiter"`
}

type fleetPath struct {
	Path string `yaml:"path"`
}

// FleetFile writes the file of an example fleet that has the reports and policies, for Fleet 4.83 and later, or with the key
// names of versions before (older). The enroll secret is a variable of the environment of fleetctl.
func FleetFile(older bool) ([]byte, error) {
	owner := &fleetOwner{Secrets: []fleetSecret{{"$BEACONWATCH_ENROLL_SECRET"}}}
	reports := []fleetPath{{"../lib/beaconwatch.reports.yml"}}
	f := fleetFile{Name: "beaconwatch example", Policies: []fleetPath{{"../lib/beaconwatch.policies.yml"}},
		AgentOptions: &fleetAgent{fleetConfig{
			fleetDecorators{[]string{"SELECT uuid AS host_uuid FROM system_info;", "SELECT hostname AS hostname FROM system_info;"}},
			fleetOptions{false, 10, "tls", 3, "/api/osquery/log", 10, "/"}}}}
	if older {
		f.TeamSettings, f.Queries = owner, reports
	} else {
		f.Settings, f.Reports = owner, reports
	}
	return fleetYAML(f)
}

func fleetYAML(v any) ([]byte, error) {
	text, err := yaml.MarshalWithOptions(v, yaml.Indent(2), yaml.IndentSequence(false), yaml.UseLiteralStyleIfMultiline(true))
	if err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	return text, nil
}
