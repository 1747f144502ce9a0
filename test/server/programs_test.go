package server

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// program is one of the catalogue, as a throw-away package installs it, and what it does.
type program struct {
	entry, pkg string
	// path is the executable, script what an interpreter runs. A path that is installed here is left to its own package.
	path, script string
	// user it runs as, root if empty.
	user string
	to   string // protocol://address:port
	// polls are the intervals between its beats, in turn; the last one repeats until there are so many beats. splay is how
	// much later than that a beat may come, as a share of the interval.
	polls []time.Duration
	splay float64
	beats int
	// updates: the program replaces itself between packages, so that its entry takes any file that only root can write.
	updates bool
	// size of a beat in bytes, give or take spread.
	size, spread int
}

// every is a poll of one interval.
func every(d time.Duration) []time.Duration { return []time.Duration{d} }

// settling is how an NTP client polls: eight times at each interval, which doubles from least to most.
func settling(least, most time.Duration) (polls []time.Duration) {
	for d := least; d <= most; d *= 2 {
		for range 8 {
			polls = append(polls, d)
		}
	}
	return polls
}

// programs are those of vendors' packages, which Debian does not have or which cannot be here at the same time. Periods are
// the defaults of the documentation that their entries name; ports and sizes are what they use by default.
func programs(t *testing.T) []program {
	t.Helper()
	python, err := filepath.EvalSymlinks(installed(t, "/usr/bin/python3", "python3"))
	require.NoError(t, err)
	const public, private, metadata = "198.51.100.20", "10.9.0.2", "169.254.169.254"
	return []program{
		{entry: "systemd-timesyncd", pkg: "systemd-timesyncd", path: "/usr/lib/systemd/systemd-timesyncd", user: "systemd-timesync",
			to: "udp://" + public + ":123", polls: settling(32*time.Second, 2048*time.Second), splay: 0.002, beats: 120, size: 48},
		// where Arch has it: Debian's own runs beside it
		{entry: "chronyd", pkg: "chrony-elsewhere", path: "/usr/bin/chronyd", user: "_chrony",
			to: "udp://" + public + ":123", polls: settling(64*time.Second, 1024*time.Second), splay: 0.01, beats: 120, size: 48},
		{entry: "ntpd", pkg: "ntpsec", path: "/usr/sbin/ntpd", user: "ntpsec",
			to: "udp://" + public + ":123", polls: settling(64*time.Second, 1024*time.Second), splay: 0.02, beats: 120, size: 48},
		{entry: "telegraf", pkg: "telegraf", path: "/usr/bin/telegraf", user: "_telegraf",
			to: "tcp://" + private + ":8086", polls: every(10 * time.Second), splay: 0.01, beats: 200, size: 4200, spread: 300},
		{entry: "puppet-agent", pkg: "puppet-agent", path: "/opt/puppetlabs/puppet/bin/ruby", script: "/opt/puppetlabs/puppet/bin/puppet",
			to: "tcp://" + private + ":8140", polls: every(30 * time.Minute), splay: 0.01, beats: 60, size: 61000, spread: 4000},
		{entry: "chef-client", pkg: "chef", path: "/opt/chef/embedded/bin/ruby", script: "/opt/chef/bin/chef-client",
			to: "tcp://" + private + ":443", polls: every(30 * time.Minute), splay: 1. / 6, beats: 60, size: 38000, spread: 2500},
		{entry: "salt-minion", pkg: "salt-minion", path: "/opt/saltstack/salt/bin/python3.10", script: "/usr/bin/salt-minion",
			to: "tcp://" + private + ":4506", polls: every(time.Hour), splay: 0.002, beats: 48, size: 5300, spread: 60},
		{entry: "kubelet", pkg: "kubelet", path: "/usr/bin/kubelet",
			to: "tcp://" + private + ":6443", polls: every(10 * time.Second), splay: 0.004, beats: 200, size: 380, spread: 6},
		{entry: "google-guest-agent", pkg: "google-guest-agent", path: "/usr/bin/google_guest_agent",
			to: "tcp://" + metadata + ":80", polls: every(time.Minute), splay: 0.002, beats: 120, size: 260},
		{entry: "amazon-ssm-agent", updates: true, pkg: "amazon-ssm-agent", path: "/usr/bin/amazon-ssm-agent",
			to: "tcp://" + public + ":443", polls: every(5 * time.Minute), splay: 0.01, beats: 100, size: 2100, spread: 20},
		{entry: "osqueryd", updates: true, pkg: "osquery", path: "/opt/osquery/bin/osqueryd",
			to: "tcp://" + public + ":8080", polls: every(10 * time.Second), splay: 0.02, beats: 200, size: 640, spread: 10},
		{entry: "orbit", updates: true, pkg: "fleet-osquery", path: "/opt/orbit/bin/orbit/linux/stable/orbit",
			to: "tcp://" + public + ":443", polls: every(30 * time.Second), splay: 0.005, beats: 200, size: 910, spread: 4},
		{entry: "launcher", updates: true, pkg: "launcher-kolide-k2", path: "/usr/local/kolide-k2/bin/launcher",
			to: "tcp://" + public + ":443", polls: every(time.Minute), splay: 0.05, beats: 120, size: 1200, spread: 100},
		{entry: "fluent-bit", pkg: "fluent-bit", path: "/opt/fluent-bit/bin/fluent-bit",
			to: "tcp://" + private + ":24224", polls: every(time.Second), splay: 0.02, beats: 300, size: 900, spread: 200},
		{entry: "filebeat", pkg: "filebeat", path: "/usr/share/filebeat/bin/filebeat",
			to: "tcp://" + private + ":5044", polls: every(10 * time.Second), splay: 0.05, beats: 200, size: 2600, spread: 900},
		{entry: "datadog-agent", pkg: "datadog-agent", path: "/opt/datadog-agent/bin/agent/agent", user: "dd-agent",
			to: "tcp://" + public + ":443", polls: every(15 * time.Second), splay: 0.01, beats: 200, size: 6100, spread: 500},
		{entry: "newrelic-infra", pkg: "newrelic-infra", path: "/usr/bin/newrelic-infra-service",
			to: "tcp://" + public + ":443", polls: every(15 * time.Second), splay: 0.02, beats: 200, size: 3400, spread: 500},
		{entry: "splunk-forwarder", pkg: "splunkforwarder", path: "/opt/splunkforwarder/bin/splunkd", user: "splunkfwd",
			to: "tcp://" + private + ":8089", polls: every(time.Minute), splay: 0.005, beats: 120, size: 700, spread: 2},
		{entry: "networkmanager-connectivity", pkg: "network-manager", path: "/usr/sbin/NetworkManager",
			to: "tcp://" + public + ":80", polls: every(5 * time.Minute), splay: 0.001, beats: 100, size: 120},
		{entry: "dhclient", pkg: "isc-dhcp-client", path: "/usr/sbin/dhclient",
			to: "udp://" + private + ":67", polls: every(30 * time.Minute), splay: 0.1, beats: 60, size: 300},
		{entry: "bacula-fd", pkg: "bacula-fd", path: "/usr/sbin/bacula-fd",
			to: "tcp://" + private + ":9103", polls: every(24 * time.Hour), splay: 0.005, beats: 20, size: 40 << 20, spread: 6 << 20},
		// what Debian's interpreter runs, from a package that has the script only
		{entry: "waagent", updates: true, pkg: "waagent", path: python, script: "/usr/sbin/waagent",
			to: "tcp://168.63.129.16:32526", polls: every(6 * time.Second), splay: 0.03, beats: 300, size: 450, spread: 10},
	}
}
