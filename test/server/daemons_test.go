package server

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// daemon is a program of a Debian package that talks to its server outside.
type daemon struct {
	entry, pkg, path string
	port             int
	start            func(*testing.T)
}

// daemonsOf are those of the packages chrony, rsyslog, zabbix-agent and collectd-core. Polls are as short as their
// configuration allows, a second.
func daemonsOf(t *testing.T) []daemon {
	t.Helper()
	chronyPath, rsyslogPath := installed(t, "/usr/sbin/chronyd", "chrony"), installed(t, "/usr/sbin/rsyslogd", "rsyslog")
	zabbixPath, collectdPath := installed(t, "/usr/sbin/zabbix_agentd", "zabbix-agent"), installed(t, "/usr/sbin/collectd", "collectd-core")
	return []daemon{
		{"chronyd-local", "chrony", chronyPath, ntpPort, func(t *testing.T) {
			cmd, err := chronyd("/run/chrony.conf", "server "+neighbourAddress+" minpoll 0 maxpoll 0\nbindcmdaddress /\ncmdport 0\npidfile /run/chronyd.pid\n")
			require.NoError(t, err)
			launch(t, "", cmd)
		}},
		{"rsyslogd", "rsyslog", rsyslogPath, syslogPort, func(t *testing.T) {
			file := written(t, `module(load="imuxsock" sysSock.use="off")
input(type="imuxsock" socket="/run/syslog.sock")
global(workDirectory="/run")
*.* action(type="omfwd" target="`+neighbourAddress+`" port="`+strconv.Itoa(syslogPort)+`" protocol="udp")
`)
			launch(t, "", exec.Command(rsyslogPath, "-n", "-f", file, "-i", "/run/rsyslogd.pid"))
			// its rhythm is that of the loudest program
			launch(t, "", exec.Command("/bin/sh", "-c", fmt.Sprintf("for beat in $(seq %d); do logger -u /run/syslog.sock heartbeat; sleep 1; done", beats)))
		}},
		{"zabbix-agent", "zabbix-agent", zabbixPath, zabbixPort, func(t *testing.T) {
			file := written(t, "Hostname=server\nServerActive="+neighbourAddress+"\nBufferSend=1\nStartAgents=0\nLogType=console\nPidFile=/run/zabbix/agentd.pid\n")
			require.NoError(t, os.Mkdir("/run/zabbix", 0o777))
			require.NoError(t, os.Chmod("/run/zabbix", 0o777)) // for the user the agent becomes
			launch(t, "", exec.Command(zabbixPath, "-f", "-c", file))
		}},
		{"collectd", "collectd-core", collectdPath, collectdPort, func(t *testing.T) {
			file := written(t, "Hostname \"server\"\nInterval 1\nPIDFile \"/run/collectd.pid\"\nLoadPlugin cpu\nLoadPlugin memory\nLoadPlugin interface\n"+
				"LoadPlugin load\nLoadPlugin processes\nLoadPlugin network\n"+
				"<Plugin network>\nServer \""+neighbourAddress+"\" \""+strconv.Itoa(collectdPort)+"\"\n</Plugin>\n")
			launch(t, "", exec.Command(collectdPath, "-f", "-C", file))
		}},
	}
}

// written is the path of a configuration that every user may read.
func written(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "daemon.conf")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	require.NoError(t, os.Chmod(filepath.Dir(file), 0o755))
	require.NoError(t, os.Chmod(filepath.Dir(filepath.Dir(file)), 0o755))
	return file
}
