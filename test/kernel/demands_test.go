package kernel

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/test/kernel/figures"
)

// full is a report in which a sensor at level saw everything.
func full(level string) figures.Report {
	all := figures.Count{Connections: 10, Sends: 10, Bytes: 1000}
	trial := figures.Trial{Protocol: "tcp", Processes: 10, Sent: all, Arrived: all, Reported: all, Owned: all}
	r := figures.Report{Release: "6.1", Full: standing(level), Bare: standing("proc")}
	for _, change := range []func(*figures.Trial){
		func(t *figures.Trial) { t.Name = "here" },
		func(t *figures.Trial) { t.Name, t.NetNS = "elsewhere", "4026532001" },
		func(t *figures.Trial) { t.Name, t.Resets = "reset", true },
		func(t *figures.Trial) { t.Name, t.Lasting = "lasting", true },
		func(t *figures.Trial) { t.Name, t.Protocol, t.Sent.Connections = "datagrams", "udp", 0 },
		func(t *figures.Trial) { t.Name, t.Protocol, t.Sent.Connections = "SCTP", "sctp", 0 },
		func(t *figures.Trial) {
			t.Name, t.Protocol, t.Reported, t.Owned = "vsock", "vsock", figures.Count{}, figures.Count{}
		},
	} {
		one := trial
		change(&one)
		r.Trials = append(r.Trials, one)
	}
	return r
}

func standing(level string) figures.Standing {
	return figures.Standing{Status: map[string]string{"level": level, "level_reason": "why", "unattributed_sends": "100"},
		Sources: []map[string]string{{"active": "1", "net_namespace": "4026531840"}}}
}

func TestVerdictDemandsWhatTheLevelPromises(t *testing.T) {
	unowned := func(c *figures.Trial) { c.Owned = figures.Count{} }
	unseen := func(c *figures.Trial) { c.Reported, c.Owned = figures.Count{}, figures.Count{} }
	short := func(c *figures.Trial) { c.Reported.Bytes--; c.Owned.Bytes-- }
	twice := func(c *figures.Trial) { c.Reported.Bytes++; c.Owned.Bytes++ }
	tests := []struct {
		name   string
		trial  int // index in full
		change func(*figures.Trial)
		held   string // levels at which that is well
	}{
		{"one-shots without a program", 0, unowned, "proc L0 L1"},
		{"one-shots a byte short", 0, short, "proc"},
		{"one-shots unseen", 0, unseen, "proc"},
		{"one-shots counted twice", 0, twice, ""},
		{"another namespace unseen", 1, unseen, "proc L0 L1"},
		{"another namespace counted twice", 1, twice, ""},
		{"resets unseen", 2, unseen, "proc L0 L1"},
		{"a lasting connection without its program", 3, unowned, "proc"},
		{"a lasting connection a byte short", 3, short, "proc"},
		{"datagrams unseen", 4, unseen, "proc L0 L1 L2"},
		{"datagrams without a program", 4, unowned, "proc L0 L1 L2"},
		{"SCTP unseen", 5, unseen, "proc L0 L1 L2"},
		{"vsock seen", 6, twice, ""},
		{"datagrams that did not arrive", 4, func(c *figures.Trial) { c.Arrived.Bytes-- }, ""},
	}
	for _, level := range levels[1:] {
		for _, tt := range tests {
			t.Run(tt.name+" at "+level, func(t *testing.T) {
				r := full(level)
				before := len(verdict(r))
				tt.change(&r.Trials[tt.trial])
				require.Equal(t, strings.Contains(tt.held, level), len(verdict(r)) == before, verdict(r))
			})
		}
	}
}

func TestVerdictOnTheWhole(t *testing.T) {
	tests := []struct {
		name   string
		change func(*figures.Report)
		short  int
	}{
		{"all well", func(*figures.Report) {}, 0},
		{"guest in trouble", func(r *figures.Report) { r.Problem = "no veth" }, 1},
		{"below the least level", func(r *figures.Report) { r.Full.Status["level"] = "proc" }, 1},
		{"an old kernel does with less", func(r *figures.Report) { r.Release, r.Full.Status["level"] = "5.10.0-32-amd64", "L1" }, 0},
		{"but not with so little", func(r *figures.Report) { r.Release, r.Full.Status["level"] = "5.10.0-32-amd64", "L0" }, 1},
		{"a level nobody knows", func(r *figures.Report) { r.Full.Status["level"] = "L9" }, 1},
		{"blind without the modules", func(r *figures.Report) { r.Bare.Status["level"] = "none" }, 1},
		{"silent about what it lacks", func(r *figures.Report) { r.Bare.Status["level_reason"] = "" }, 1},
		{"good enough to lack nothing", func(r *figures.Report) {
			r.Bare.Status["level"], r.Bare.Status["level_reason"] = "L2", ""
		}, 0},
		{"no trials", func(r *figures.Report) { r.Trials = nil }, 1},
		{"unattributed, but not told", func(r *figures.Report) {
			r.Trials[4].Owned, r.Full.Status["unattributed_sends"] = figures.Count{}, "9"
		}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := full("L2")
			tt.change(&r)
			require.Len(t, verdict(r), tt.short, verdict(r))
		})
	}
}

func TestVerdictTakesTheSensorAtItsWord(t *testing.T) {
	r := full("L0")
	r.Trials[1].Reported, r.Trials[1].Owned = figures.Count{}, figures.Count{}
	before := len(verdict(r))
	r.Full.Sources[0]["net_namespace"] = r.Trials[1].NetNS
	require.Len(t, verdict(r), before+1, "unseen in a namespace it says it watches")
}

func TestReportOverALine(t *testing.T) {
	var line bytes.Buffer
	require.NoError(t, full("L2").Write(&line))
	text := strings.ReplaceAll(line.String(), "\n", "\r\n") // as a terminal sends it
	got, err := figures.Read(strings.NewReader(text))
	require.NoError(t, err)
	require.Equal(t, full("L2"), got)
	require.Contains(t, figuresOf([]figures.Report{got}), "elsewhere  10")
	require.Contains(t, standingOf(got), "level=L2")
	_, err = figures.Read(strings.NewReader(text[:len(text)/2]))
	require.Error(t, err)
	_, err = figures.Read(strings.NewReader(""))
	require.Error(t, err)
}
