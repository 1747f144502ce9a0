package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/beaconwatch/beaconwatch/internal/config"
)

// settings are the flags that a configuration file may hold too, under the same names.
var settings = []struct{ name, usage string }{
	{"listen_socket", "where the sensor serves SQL"},
	{"state_dir", "where the sensor keeps its lock and state"},
	{"role", "role of this host, shown in the rows; chooses role files of the inventory"},
	{"inventory_dir", "directory of rules: which program is expected to talk to whom"},
	{"include", "destination classes to rank although they are not outbound: loopback, link_local, multicast, broadcast"},
	{"payload_length_variance", "half-width of a band of payload sizes that counts as one size, 0 to 1"},
	{"repeat_frequency_threshold", "least beats per hour that count as repetition, 0 for any"},
	{"min_beats", "least beats for a sufficient result"},
	{"threshold", "score from which a candidate is above threshold, 0 to 1"},
	{"level", "how deep to look at most: L3 or L2 (eBPF), L1 (AF_PACKET), L0 (sock_diag), proc"},
	{"max_net_namespaces", "bound on network namespaces watched beside the sensor's own, 0 for none; eBPF sees all"},
	{"cpu_budget", "share of one core for everything but answering questions"},
	{"sql_cpu_budget", "share of one core for answering questions; beyond it answers come later, by a second at most"},
	{"sample_period", "least time between complete samples"},
	{"max_pairs", "bound on pairs of program and destination held"},
	{"max_bursts", "bound on micro-bursts held for a pair"},
	{"retention", "how long a silent pair is kept"},
	{"checkpoint_interval", "how often histories are written to the state directory"},
	{"memory_limit_mib", "ceiling of resident memory in MiB; histories give way to it"},
	{"redact", "secrets in command lines: common, full or off"},
	{"dns_names", "take names of addresses from the DNS answers this host gets: on or off"},
	{"log_level", "debug, info, warn or error"},
}

// configFlags are --config and one flag for each setting.
type configFlags struct {
	path  string
	flags *pflag.FlagSet
}

// bindAside is bind for a command that people call for something else: all flags are taken, and its help names those that
// matter to it.
func (c *configFlags) bindAside(cmd *cobra.Command, named ...string) {
	c.bind(cmd)
	for _, s := range settings {
		c.flags.Lookup(s.name).Hidden = !slices.Contains(named, s.name)
	}
	cmd.SetUsageTemplate(cmd.UsageTemplate() + "\nEvery setting of \"" + binaryName + " --help\" may be given here as well.\n")
}

func (c *configFlags) bind(cmd *cobra.Command) {
	c.flags = cmd.Flags()
	underscores(c.flags)
	c.flags.StringVar(&c.path, "config", "", "configuration file (default "+defaultConfig+" if it is there)")
	for _, s := range settings {
		c.flags.String(s.name, "", s.usage)
		if values, few := choices[s.name]; few {
			offer(cmd, s.name, values...)
		}
	}
}

// choices are the values of settings that have but a few, for completion.
var choices = map[string][]string{
	"level":     {"L3", "L2", "L1", "L0", "proc"},
	"include":   {"loopback", "link_local", "multicast", "broadcast"},
	"redact":    {"common", "full", "off"},
	"dns_names": {"on", "off"},
	"log_level": {"debug", "info", "warn", "error"},
}

// offer has a shell complete a flag that was defined by one of values.
func offer(cmd *cobra.Command, flag string, values ...string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // of this program: the flag is not there, or is completed already
	}
}

// underscores lets flags be written with dashes as well: --state-dir is --state_dir.
func underscores(f *pflag.FlagSet) {
	f.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(strings.ReplaceAll(name, "-", "_"))
	})
}

const defaultConfig = "/etc/beaconwatch/beaconwatch.yaml"

// load returns the effective configuration.
func (c *configFlags) load() (config.Config, error) {
	path := c.path
	if path == "" {
		if _, err := os.Stat(defaultConfig); err == nil {
			path = defaultConfig
		} else if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return config.Config{}, usagef("configuration: %w", err)
		}
	}
	base := config.Default()
	base.ListenSocket, base.StateDir = defaultPaths()
	var given []config.Flag
	for _, s := range settings {
		if f := c.flags.Lookup(s.name); f != nil && f.Changed {
			given = append(given, config.Flag{Name: s.name, Value: f.Value.String()})
		}
	}
	cfg, err := config.Load(base, path, given)
	if err != nil {
		return cfg, usageError{err}
	}
	return cfg, nil
}

// defaultPaths are system directories for root, the user's own otherwise.
func defaultPaths() (socket, state string) {
	if os.Geteuid() == 0 {
		return "/run/beaconwatch/beaconwatch.sock", "/var/lib/beaconwatch"
	}
	run := os.Getenv("XDG_RUNTIME_DIR")
	if run == "" {
		run = filepath.Join(os.TempDir(), fmt.Sprintf("beaconwatch-%d", os.Geteuid()))
	}
	return filepath.Join(run, "beaconwatch", "beaconwatch.sock"), filepath.Join(run, "beaconwatch")
}

// logger writes to standard error at the configured level.
func logger(cfg config.Config, verbose bool) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil || verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// quietLogger is for sensors of a command, for a person: refusals of the kernel are in the tables and in doctor, so that without another
// log_level than the default they say only what is wrong.
func quietLogger(cfg config.Config) *slog.Logger {
	if cfg.LogLevel == config.Default().LogLevel {
		cfg.LogLevel = "error"
	}
	return logger(cfg, false)
}

func configCommand() *cobra.Command {
	parent := &cobra.Command{Use: "config", Short: "Work with the configuration", Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	var flags configFlags
	check := &cobra.Command{
		Use: "check", Short: "Check the configuration and the rules, and print their hashes", Args: noArguments,
		Example: "  beaconwatch.ext config check --config ./beaconwatch.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := flags.load()
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "configuration is valid; hash", cfg.Hash())
			return checkRules(cmd, cfg)
		},
	}
	flags.bindAside(check)
	parent.AddCommand(check)
	return parent
}
