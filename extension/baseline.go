package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/beaconwatch/beaconwatch/internal/baseline"
	"github.com/beaconwatch/beaconwatch/internal/figure"
	"github.com/beaconwatch/beaconwatch/internal/inventory"
	"github.com/beaconwatch/beaconwatch/internal/shell"
)

// recorded is what baseline, egress and explain read: candidates, from a sensor or out of the logs of a fleet.
type recorded struct {
	whom
	fleet []string
}

// rows returns all candidates, the one with the most evidence first.
func (r *recorded) rows(cmd *cobra.Command, where string) ([]baseline.Row, error) {
	cfg, err := r.load()
	if err != nil {
		return nil, err
	}
	if len(r.fleet) > 0 {
		return fleetCandidates(cmd, r.fleet, "true", "evidence DESC")
	}
	ask, done, err := r.connect(cmd, cfg, true)
	if err != nil {
		return nil, err
	}
	defer done()
	return candidatesWhere(cmd.Context(), ask, where)
}

func candidatesWhere(ctx context.Context, ask shell.Querier, where string) ([]baseline.Row, error) {
	return rowsOf(ctx, ask, "SELECT "+baseline.Columns+" FROM beacon_candidates WHERE "+where+" ORDER BY evidence DESC")
}

func baselineCommand() *cobra.Command {
	var from recorded
	var whatIf string
	var diff bool
	cmd := &cobra.Command{
		Use:   "baseline",
		Short: "Propose rules for what this host does, for a person to review",
		Long: `baseline lists what the programs of this host do as rules of the inventory, each with the evidence it rests on and what speaks
against it. Nobody has signed them: they lack an owner, and a rule without one is refused. Nothing is learned silently, because an
implant that was there on the first day must not become normal.

--diff leaves out what is expected already and adds which rules of the operator are of no use. --what_if FILE lists which recorded
candidates the rules in FILE would have silenced. --fleet reads candidates out of result logs of many hosts.`,
		Example: `  beaconwatch.ext baseline > proposed.yaml
  beaconwatch.ext baseline --diff
  beaconwatch.ext baseline --what_if proposed.yaml
  beaconwatch.ext baseline --fleet results.log.gz`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if whatIf != "" && diff {
				return usagef("--what_if and --diff exclude each other")
			}
			var rules *inventory.Set
			if whatIf != "" {
				cfg, err := from.load()
				if err != nil {
					return err
				}
				if rules, err = baseline.ReadRules(whatIf, inventory.SplitRoles(cfg.Role)); err != nil {
					return usageError{err}
				}
			}
			rows, err := from.rows(cmd, "score >= 0.5 OR expected = 1")
			if err != nil {
				return err
			}
			if whatIf != "" {
				return tellSilenced(cmd.OutOrStdout(), whatIf, baseline.Silenced(rules, rows, time.Now()), len(rows))
			}
			if !diff {
				return baseline.Write(cmd.OutOrStdout(), baseline.Propose(rows))
			}
			return from.tellDiff(cmd, rows)
		},
	}
	from.bind(cmd)
	f := cmd.Flags()
	f.StringVar(&whatIf, "what_if", "", "list the recorded candidates that the rules in this file would have silenced")
	f.BoolVar(&diff, "diff", false, "only what no rule expects, and rules of no use")
	f.StringSliceVar(&from.fleet, "fleet", nil, "read result logs of a fleet instead")
	return cmd
}

// tellSilenced lists the candidates that a file of rules would silence, of so many, and what speaks against that.
func tellSilenced(w io.Writer, file string, silenced []baseline.Row, of int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s would have silenced %d of %s\n", file, len(silenced), figure.Count(of, "recorded candidate"))
	for _, s := range silenced {
		fmt.Fprintf(&b, "\n%-6s %s %s -> %s:%s, by rule %s\n       %s\n", s["severity"], s["path"], s["script"], s["remote_address"], s["remote_port"], s["silenced_by"], s["reason"])
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// tellDiff writes what is not expected as proposals, and which rules are of no use as comments.
func (r *recorded) tellDiff(cmd *cobra.Command, rows []baseline.Row) error {
	var open []baseline.Proposal
	for _, p := range baseline.Propose(rows) {
		if p.Covered == "" {
			open = append(open, p)
		}
	}
	if err := baseline.Write(cmd.OutOrStdout(), open); err != nil || len(r.fleet) > 0 {
		return err
	}
	cfg, err := r.load()
	if err != nil {
		return err
	}
	ask, done, err := r.connect(cmd, cfg, false)
	if err != nil {
		return err
	}
	defer done()
	useless, err := rowsOf(cmd.Context(), ask, "SELECT name, file, line, owner, expired FROM beacon_inventory_rules WHERE source = 'operator' AND (expired = 1 OR used = 0)")
	if err != nil {
		return err
	}
	return tellUseless(cmd.OutOrStdout(), useless)
}

func tellUseless(w io.Writer, rules []map[string]string) error {
	if len(rules) == 0 {
		return nil
	}
	var b strings.Builder
	b.WriteString("\n# Rules of the operator that are of no use here:\n")
	for _, r := range rules {
		why := "has never decided anything"
		if r["expired"] == "1" {
			why = "has expired"
		}
		fmt.Fprintf(&b, "#   %s:%s: %s (owner %s) %s\n", r["file"], r["line"], r["name"], r["owner"], why)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// unitName is a unit that has a control group, systemd.unit(5).
var unitName = regexp.MustCompile(`^[a-zA-Z0-9:_.\\@-]+\.(service|scope|slice|socket|mount|swap)$`)

func egressCommand() *cobra.Command {
	var from recorded
	cmd := &cobra.Command{
		Use:   "egress UNIT",
		Short: "Print what would restrict a unit to what it is expected to talk to",
		Long: `egress prints, for a systemd unit, a drop-in with IPAddressAllow and IPAddressDeny and an nftables table for its control group:
what the inventory expects of the unit may pass, the rest may not. Above them stands what that would have blocked in what was
recorded. They are applied by a person, never by this program.`,
		Example: "  beaconwatch.ext egress nginx.service > restrict.txt",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("egress takes one unit, not %d words", len(args))
			}
			if !unitName.MatchString(args[0]) {
				return usagef("%q is no unit with processes of its own, such as nginx.service", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			rows, err := from.rows(cmd, "systemd_unit = "+sqlText(args[0]))
			if err != nil {
				return err
			}
			if len(rows) == 0 {
				return fmt.Errorf("nothing was recorded of %s: a restriction would rest on nothing", args[0])
			}
			return baseline.Restrict(args[0], rows).Write(cmd.OutOrStdout())
		},
	}
	from.bind(cmd)
	return cmd
}
