// Package config is the file an operator writes: read whole, validated whole, with a hash that says which configuration a
// host really runs. Flags have the same names and win over the file. It opens no sockets and knows no other package.
package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// Config is the effective configuration. Names in the file and of the flags are those of the tags.
type Config struct {
	// ListenSocket is where the sensor serves SQL; StateDir holds its lock.
	ListenSocket string `yaml:"listen_socket" json:"listen_socket"`
	StateDir     string `yaml:"state_dir" json:"state_dir"`
	// Role of this host, for the rows and to choose the role files of the inventory; several are separated by commas.
	Role string `yaml:"role" json:"role"`
	// InventoryDir holds the operator's rules on which programs are expected to talk, in files ending in .yaml.
	InventoryDir string `yaml:"inventory_dir" json:"inventory_dir"`
	// Include names destination classes that are candidates although they are not outbound: loopback, link_local,
	// multicast, broadcast.
	Include []string `yaml:"include" json:"include"`
	// PayloadLengthVariance and RepeatFrequencyThreshold are ATT&CK's mutable elements of AN0597: the relative half-width
	// of a band of payload sizes in (0, 1), and the least beats per hour, 0 for any. MinBeats is the least beats of a
	// sufficient result, Threshold the score from which one is above threshold. 0 means the built-in default.
	PayloadLengthVariance    float64 `yaml:"payload_length_variance" json:"payload_length_variance"`
	RepeatFrequencyThreshold float64 `yaml:"repeat_frequency_threshold" json:"repeat_frequency_threshold"`
	MinBeats                 int     `yaml:"min_beats" json:"min_beats"`
	Threshold                float64 `yaml:"threshold" json:"threshold"`
	// Level caps how deep the sensor looks: L3 (every send, by eBPF), L2 (connections, by eBPF), L1 (SYNs and
	// datagrams, by AF_PACKET), L0 (sock_diag) or proc.
	Level string `yaml:"level" json:"level"`
	// MaxNetNamespaces bounds the network namespaces watched beside the sensor's own, 0 for none. eBPF sees all of them.
	MaxNetNamespaces int `yaml:"max_net_namespaces" json:"max_net_namespaces"`
	// CPUBudget is the share of one core for everything but answering questions. Sampling TCP may take three quarters of it; the
	// period follows from that but is never below SamplePeriod.
	CPUBudget    float64  `yaml:"cpu_budget" json:"cpu_budget"`
	SamplePeriod Duration `yaml:"sample_period" json:"sample_period"`
	// SQLCPUBudget is the share of one core for answering questions. Beyond it answers come later, by a second at most.
	SQLCPUBudget float64 `yaml:"sql_cpu_budget" json:"sql_cpu_budget"`
	// Bounds of the history.
	MaxPairs  int      `yaml:"max_pairs" json:"max_pairs"`
	MaxBursts int      `yaml:"max_bursts" json:"max_bursts"`
	Retention Duration `yaml:"retention" json:"retention"`
	// CheckpointInterval is how often histories are written to StateDir: at most so much is lost with the sensor.
	CheckpointInterval Duration `yaml:"checkpoint_interval" json:"checkpoint_interval"`
	// MemoryLimitMiB is the ceiling of resident memory. Histories give way to it, those with the least evidence first.
	MemoryLimitMiB int `yaml:"memory_limit_mib" json:"memory_limit_mib"`
	// Redact says what becomes of secrets in command lines: common (flags, assignments and URL passwords are replaced),
	// full (no arguments at all), off.
	Redact string `yaml:"redact" json:"redact"`
	// DNSNames says whether names of addresses are taken from the answers this host gets from its name servers: on or off.
	DNSNames string `yaml:"dns_names" json:"dns_names"`
	// LogLevel is debug, info, warn or error.
	LogLevel string `yaml:"log_level" json:"log_level"`
}

// Duration is a time.Duration written as "1s", "168h".
type Duration time.Duration

// UnmarshalYAML reads a duration with its unit.
func (d *Duration) UnmarshalYAML(b []byte) error {
	var s string
	if err := yaml.Unmarshal(b, &s); err != nil {
		return err
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 200ms, 1s or 168h", s)
	}
	*d = Duration(v)
	return nil
}

// MarshalJSON writes the duration as it would be configured.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// Default is the configuration without a file. Paths depend on who runs the sensor and are filled in by the caller.
func Default() Config {
	return Config{
		InventoryDir: "/etc/beaconwatch/inventory.d", Include: []string{}, Level: "L3", MaxNetNamespaces: 128, CPUBudget: 0.02, SQLCPUBudget: 0.01,
		SamplePeriod: Duration(100 * time.Millisecond),
		MaxPairs:     10_000, MaxBursts: 512, Retention: Duration(7 * 24 * time.Hour),
		CheckpointInterval: Duration(5 * time.Minute), MemoryLimitMiB: 90,
		Redact: "common", DNSNames: "on", LogLevel: "info",
	}
}

// Flag is one setting given on the command line.
type Flag struct{ Name, Value string }

// Load returns base changed by the file at path (none if empty) and then by flags, validated. Errors name file, line and
// column, or the flag.
func Load(base Config, path string, flags []Flag) (Config, error) {
	c := base
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return base, fmt.Errorf("configuration: %w", err)
		}
		if err := apply(&c, text); err != nil {
			return base, fmt.Errorf("configuration %s:%w", path, err)
		}
	}
	for _, f := range flags {
		if err := apply(&c, []byte(f.yaml())); err != nil {
			return base, fmt.Errorf("flag --%s: %q is not a valid value: %w", f.Name, f.Value, err)
		}
	}
	if err := c.validate(); err != nil {
		return base, fmt.Errorf("configuration: %w", err)
	}
	return c, nil
}

// yaml writes the flag as the line an operator would have put into the file.
func (f Flag) yaml() string {
	quoted, err := json.Marshal(f.Value) // a JSON string is a YAML string
	if err != nil {
		return ""
	}
	switch f.Name {
	case "include":
		items := []string{}
		for item := range strings.SplitSeq(f.Value, ",") {
			if item = strings.TrimSpace(item); item != "" {
				items = append(items, item)
			}
		}
		list, err := json.Marshal(items)
		if err != nil {
			return ""
		}
		return f.Name + ": " + string(list)
	case "listen_socket", "state_dir", "role", "inventory_dir", "level", "redact", "dns_names", "log_level", "sample_period", "retention",
		"checkpoint_interval":
		return f.Name + ": " + string(quoted)
	}
	return f.Name + ": " + f.Value
}

func (c Config) validate() error {
	switch {
	case !(c.PayloadLengthVariance >= 0 && c.PayloadLengthVariance < 1):
		return fmt.Errorf("payload_length_variance is %g, it must be at least 0 and below 1", c.PayloadLengthVariance)
	case !(c.RepeatFrequencyThreshold >= 0 && c.RepeatFrequencyThreshold < 1e9):
		return fmt.Errorf("repeat_frequency_threshold is %g, it must be a number of beats per hour, 0 or more", c.RepeatFrequencyThreshold)
	case c.MinBeats != 0 && (c.MinBeats < 3 || c.MinBeats > 512):
		return fmt.Errorf("min_beats is %d, it must be 0 (default) or 3 to 512", c.MinBeats)
	case !(c.Threshold >= 0 && c.Threshold <= 1):
		return fmt.Errorf("threshold is %g, it must be between 0 and 1", c.Threshold)
	case c.MaxNetNamespaces < 0 || c.MaxNetNamespaces > 4096:
		return fmt.Errorf("max_net_namespaces is %d, it must be 0 to 4096", c.MaxNetNamespaces)
	case !(c.CPUBudget > 0 && c.CPUBudget <= 1):
		return fmt.Errorf("cpu_budget is %g, it must be above 0 and at most 1 (of one core)", c.CPUBudget)
	case !(c.SQLCPUBudget > 0 && c.SQLCPUBudget <= 1):
		return fmt.Errorf("sql_cpu_budget is %g, it must be above 0 and at most 1 (of one core)", c.SQLCPUBudget)
	case c.SamplePeriod < Duration(time.Millisecond) || c.SamplePeriod > Duration(time.Minute):
		return fmt.Errorf("sample_period is %s, it must be between 1ms and 1m", time.Duration(c.SamplePeriod))
	case c.MaxPairs < 10 || c.MaxPairs > 1_000_000:
		return fmt.Errorf("max_pairs is %d, it must be 10 to 1000000", c.MaxPairs)
	case c.MaxBursts < 16 || c.MaxBursts > 4096:
		return fmt.Errorf("max_bursts is %d, it must be 16 to 4096", c.MaxBursts)
	case c.Retention < Duration(time.Minute):
		return fmt.Errorf("retention is %s, it must be at least 1m", time.Duration(c.Retention))
	case c.CheckpointInterval < Duration(time.Second) || c.CheckpointInterval > Duration(24*time.Hour):
		return fmt.Errorf("checkpoint_interval is %s, it must be between 1s and 24h", time.Duration(c.CheckpointInterval))
	case c.MemoryLimitMiB < 16 || c.MemoryLimitMiB > 1<<20:
		return fmt.Errorf("memory_limit_mib is %d, it must be 16 to 1048576", c.MemoryLimitMiB)
	case !slices.Contains([]string{"L3", "L2", "L1", "L0", "proc"}, c.Level):
		return fmt.Errorf("level is %q, it must be L3, L2, L1, L0 or proc", c.Level)
	case !slices.Contains([]string{"common", "full", "off"}, c.Redact):
		return fmt.Errorf("redact is %q, it must be common, full or off", c.Redact)
	case !slices.Contains([]string{"on", "off"}, c.DNSNames):
		return fmt.Errorf("dns_names is %q, it must be on or off", c.DNSNames)
	case !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel):
		return fmt.Errorf("log_level is %q, it must be debug, info, warn or error", c.LogLevel)
	}
	for _, class := range c.Include {
		if !slices.Contains([]string{"loopback", "link_local", "multicast", "broadcast"}, class) {
			return fmt.Errorf("include names %q, it may name loopback, link_local, multicast and broadcast", class)
		}
	}
	return nil
}

// Hash is the SHA-256 of the configuration in a canonical form: equal hashes mean equal behaviour.
func (c Config) Hash() string {
	sum := sha256.Sum256([]byte(c.JSON()))
	return hex.EncodeToString(sum[:])
}

// JSON is the configuration as one object; durations are as they would be configured.
func (c Config) JSON() string {
	b, err := json.Marshal(c)
	if err != nil {
		return "" // no field of Config can fail to marshal
	}
	return string(b)
}
