package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/beaconwatch/beaconwatch/internal/config"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sensor"
)

// finding is one thing doctor looked at.
type finding struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	OK     bool   `json:"ok"`
	Effect string `json:"effect"` // what it buys, or what its absence costs; the name goes before it
}

// diagnosis is what this host lets the sensor see.
type diagnosis struct {
	Version  string    `json:"version"`
	Level    string    `json:"level"`
	Sources  []finding `json:"sources"`
	Programs []finding `json:"programs"` // of eBPF
	Host     []finding `json:"host"`
	Buys     []string  `json:"buys"`  // what is missing, and what it would buy
	Blind    []string  `json:"blind"` // what stays unseen at these levels
	Complete bool      `json:"complete"`
}

func doctorCommand() *cobra.Command {
	var flags configFlags
	var asJSON bool
	var least string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this host lets the sensor see, and what it is blind to",
		Long: `doctor asks the kernel for every source, looks at capabilities and settings, and says in sentences what stays
unseen. It exits 0 if nothing is missing, and 1 if there is something that a newer kernel, a capability or a setting would buy:
most hosts have that. As a gate, --least exits 0 at that level of TCP or above and 1 below, whatever else is missing.`,
		Example: "  beaconwatch.ext doctor\n  beaconwatch.ext doctor --least L2 > /dev/null || echo too blind\n  beaconwatch.ext doctor --json | jq .blind",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if least != "" && !slices.Contains(levels, least) {
				return usagef("--least is %q, it must be one of %s", least, strings.Join(levels[1:], ", "))
			}
			cfg, err := flags.load()
			if err != nil {
				return err
			}
			d := examine(cfg)
			if asJSON {
				encoder := json.NewEncoder(cmd.OutOrStdout())
				encoder.SetIndent("", "  ")
				err = encoder.Encode(d)
			} else {
				err = d.print(cmd.OutOrStdout())
			}
			if err == nil && !d.good(least) {
				return errSilent
			}
			return err
		},
	}
	flags.bindAside(cmd, "level")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&least, "least", "", "exit 0 at this level or above, 1 below: proc, L0, L1, L2 or L3")
	return cmd
}

// levels of TCP, the blindest first.
var levels = []string{"none", "proc", "L0", "L1", "L2", "L3"}

// good reports whether the level is at least that, or, if none is asked for, whether nothing is missing.
func (d diagnosis) good(least string) bool {
	if least == "" {
		return d.Complete
	}
	return slices.Index(levels, d.Level) >= slices.Index(levels, least)
}

// examine opens every source once and looks at the host.
func examine(cfg config.Config) diagnosis {
	d := diagnosis{Version: fullVersion(), Complete: true}
	var opened []sensor.Source
	reached := map[string]string{}
	refused := map[string][]string{}
	for _, l := range newLookout(cfg, nil, nil).own() {
		best := ""
		for _, r := range l.Rungs {
			f := finding{Name: l.Protocol + " by " + r.Name, Value: "granted", OK: true, Effect: "level " + r.Level}
			src, err := r.Open()
			if err != nil {
				f.Value, f.OK = refusedWith(err), false
				refused[f.Value] = append(refused[f.Value], fmt.Sprintf("%s at %s", f.Name, r.Level))
			} else {
				opened = append(opened, src)
				best = cmp.Or(best, r.Level)
			}
			d.Sources = append(d.Sources, f)
		}
		reached[l.Protocol] = cmp.Or(best, "none")
	}
	closed, stop := context.WithCancel(context.Background())
	stop()
	for _, src := range opened { // only now: the programs of L3 are shared by several
		_ = src.Run(closed, func(send.Send) {}) // a source that is run with an ended context closes
	}
	d.Level = reached["tcp"]
	d.Programs = programFindings(cfg)
	d.Host = hostFindings()
	for _, f := range d.findings() {
		d.Complete = d.Complete && f.OK
	}
	d.Buys = buys(slices.Concat(d.Programs, d.Host))
	for _, why := range slices.Sorted(maps.Keys(refused)) {
		d.Blind = append(d.Blind, fmt.Sprintf("Not watched: %s: %s.", strings.Join(refused[why], ", "), why))
	}
	d.Blind = append(d.Blind, blindAt(reached["tcp"], reached["udp"])...)
	return d
}

// buys says for what is missing what it would buy, once for all that would buy the same.
func buys(found []finding) (sentences []string) {
	var effects []string
	names := map[string][]string{}
	for _, f := range found {
		if f.OK {
			continue
		}
		if names[f.Effect] == nil {
			effects = append(effects, f.Effect)
		}
		names[f.Effect] = append(names[f.Effect], f.Name)
	}
	for _, effect := range effects {
		sentences = append(sentences, strings.Join(names[effect], ", ")+": "+effect)
	}
	return sentences
}

func (d diagnosis) findings() []finding { return slices.Concat(d.Sources, d.Programs, d.Host) }

func refusedWith(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return fmt.Sprintf("refused with errno %d (%v)", int(errno), errno)
	}
	return "refused"
}

// udpLevels are the levels of the sources that UDP can have.
var udpLevels = map[string]string{"ebpf": "L3", "packet": "L1", "udp_diag": "L0", "proc": "proc"}

// blindAt says what the levels of TCP and UDP cannot see anywhere; SECURITY.md has the same in a table.
func blindAt(tcp, udp string) (blind []string) {
	switch tcp {
	case "proc":
		blind = append(blind, "Payload sizes are not seen, and sends on open connections have no time: /proc/net has states only.",
			betweenSamples, resetSinceSample)
	case "L0":
		blind = append(blind, betweenSamples, resetSinceSample)
	case "L1":
		blind = append(blind, "A process that connects, sends and exits within about a millisecond may stay unknown; its bytes are counted.",
			resetSinceSample)
	}
	switch udp {
	case "":
		blind = append(blind, "UDP is not seen: no source of it could be opened.")
	case "proc", "L0":
		blind = append(blind, "UDP is seen as sockets that open and close, without bytes; unconnected UDP sockets name no destination.")
	case "L1":
		blind = append(blind, "Datagrams are seen as they leave an interface: who sent one is not known if the socket is closed by then, "+
			"and what a firewall drops is not seen.")
	}
	if tcp == "L2" || tcp == "L3" {
		blind = append(blind, "A process that is gone before the event of its exec is read keeps its PID and its bytes, but not its name.")
	}
	if udp == "L3" {
		blind = append(blind, "Where raw, ICMP and SCTP sockets send to is read from the memory of the program (quality inferred), and unknown "+
			"for sendmmsg and io_uring.")
	}
	return append(blind, "AF_PACKET, AF_XDP and vsock senders are not seen at any level.",
		"Names that are asked of systemd-resolved through its Unix socket (nss-resolve) are seen as its own queries.",
		"Payloads that are encrypted are seen as sizes of ciphertext.")
}

const (
	betweenSamples   = "A connection that opens and closes between two samples is counted with its bytes, but its process is not known."
	resetSinceSample = "Bytes of a connection reset by its own program (SO_LINGER 0) since the last sample are lost."
)

func (d diagnosis) print(w io.Writer) error {
	fmt.Fprintf(w, "beaconwatch %s: level %s\n\n", d.Version, d.Level)
	for _, group := range [][]finding{d.Sources, d.Programs, d.Host} {
		for _, f := range group {
			mark := "ok     "
			if !f.OK {
				mark = "missing"
			}
			fmt.Fprintf(w, "%s  %-28s %-24s  %s\n", mark, f.Name, f.Value, f.Effect)
		}
		fmt.Fprintln(w)
	}
	if len(d.Buys) > 0 {
		fmt.Fprintf(w, "Missing, and what it would buy:\n- %s\n\n", strings.Join(d.Buys, "\n- "))
	}
	_, err := fmt.Fprintf(w, "Blind on this host:\n- %s\n", strings.Join(d.Blind, "\n- "))
	return err
}
