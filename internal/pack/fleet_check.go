package pack

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var fleetName = regexp.MustCompile(`^[!-~][ -~]*$`)

// isFleetPlatform: Fleet's words are fewer than osquery's; empty is every platform.
var isFleetPlatform = isWords("darwin", "windows", "linux", "chrome")

// decidedByFile rejects what Fleet takes from the file an item stands in.
func decidedByFile(c *checker, at string, _ any) {
	c.wrong(at, "does not belong here: the file an item stands in decides its fleet")
}

func isAny(*checker, string, any) {}

var labelsRule = isListOf(isText)

func reportRules() rules {
	return rules{
		"name": isMatch(fleetName, "a name in ASCII"), "description": isText, "query": isStatement,
		"interval": isInteger(0, MaxInterval, "seconds"), "platform": isFleetPlatform,
		"min_osquery_version": isMatch(regexp.MustCompile(`^(all|\d+\.\d+\.\d+)?$`), "a version such as 5.10.0"),
		"logging":             isOneOf("snapshot", "differential", "differential_ignore_removals"),
		"automations_enabled": isBool, "observer_can_run": isBool, "discard_data": isBool,
		"labels_include_any": labelsRule, "labels_include_all": labelsRule,
		"team": decidedByFile, "team_id": decidedByFile, "fleet": decidedByFile, "fleet_id": decidedByFile,
	}
}

func policyRules() rules {
	return rules{
		"name": isMatch(regexp.MustCompile(`\S`), "a name"), "description": isText, "resolution": isText, "query": isStatement,
		"platform": isFleetPlatform, "critical": isBool, "calendar_events_enabled": isBool, "conditional_access_enabled": isBool,
		"labels_include_any": labelsRule, "labels_include_all": labelsRule, "labels_exclude_any": labelsRule,
		"run_script": isAny, "install_software": isAny,
		"team": decidedByFile, "team_id": decidedByFile, "fleet": decidedByFile, "fleet_id": decidedByFile,
	}
}

// CheckFleetReports checks a list of scheduled queries, as GitOps files refer to it, against Fleet's rules: unknown keys and
// values fail, as they do in fleetctl gitops since 4.83; names are ASCII and unique; $ begins a variable of the environment.
// And against sense: a schedule whose results go nowhere is a mistake.
func CheckFleetReports(file string, text []byte, prepare Prepare) error {
	return checkFleetList(file, text, prepare, func(c *checker, at string, v any) map[string]any {
		r := c.object(at, v, reportRules(), "name", "query")
		if r["labels_include_any"] != nil && r["labels_include_all"] != nil {
			c.wrong(at, "labels_include_any and labels_include_all exclude each other")
		}
		logging, _ := r["logging"].(string)
		if strings.HasPrefix(logging, "differential") && r["automations_enabled"] != true {
			c.wrong(at, "differential results go to the log destination only, and automations_enabled is not true")
		}
		return r
	})
}

// CheckFleetPolicies checks a list of policies against Fleet's rules.
func CheckFleetPolicies(file string, text []byte, prepare Prepare) error {
	return checkFleetList(file, text, prepare, func(c *checker, at string, v any) map[string]any {
		return c.object(at, v, policyRules(), "name", "query")
	})
}

func checkFleetList(file string, text []byte, prepare Prepare, item func(*checker, string, any) map[string]any) error {
	c := &checker{file: file, prepare: prepare}
	for i, line := range bytes.Split(text, []byte("\n")) {
		if bytes.ContainsRune(line, '$') {
			c.wrong(fmt.Sprintf("line %d", i+1), "fleetctl replaces what follows $ by a variable of its environment; leave $ out")
		}
	}
	v, err := strictYAML(text)
	if err != nil {
		c.wrong("", "%v", err)
		return c.err()
	}
	list, ok := v.([]any)
	if !ok {
		c.wrong("", "is %s, not a list", kind(v))
	}
	var names []string
	for i, v := range list {
		at := fmt.Sprintf("item %d", i+1)
		if members, ok := v.(map[string]any); ok {
			if name, ok := members["name"].(string); ok {
				at = name
				if slices.Contains(names, name) {
					c.wrong(at, "the name is there twice")
				}
				names = append(names, name)
			}
		}
		item(c, at, v)
	}
	return c.err()
}

// CheckFleetFile checks a file of one fleet against the top-level keys of Fleet 4.83 and later, or of versions before.
func CheckFleetFile(file string, text []byte, older bool) error {
	c := &checker{file: file}
	v, err := strictYAML(text)
	if err != nil {
		c.wrong("", "%v", err)
		return c.err()
	}
	settings, reports := "settings", "reports"
	if older {
		settings, reports = "team_settings", "queries"
	}
	paths := isListOf(func(c *checker, at string, v any) { c.object(at, v, rules{"path": isText}, "path") })
	owner := func(c *checker, at string, v any) {
		secrets := isListOf(func(c *checker, at string, v any) { c.object(at, v, rules{"secret": isText}, "secret") })
		c.object(at, v, rules{"secrets": secrets, "webhook_settings": isAny, "features": isAny, "host_expiry_settings": isAny,
			"integrations": isAny}, "secrets")
	}
	c.object("", v, rules{"name": isMatch(regexp.MustCompile(`\S`), "a name"), settings: owner, reports: paths, "policies": paths,
		"agent_options": isAny, "controls": isAny, "software": isAny}, "name", settings, reports, "policies", "agent_options", "software")
	return c.err()
}
