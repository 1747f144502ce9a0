package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manualCommand prints the manual page, made from the commands themselves so that it cannot fall behind them.
func manualCommand() *cobra.Command {
	return &cobra.Command{
		Use: "manual", Short: "Print the manual page", Args: noArguments,
		Example: "  beaconwatch.ext manual | man -l -",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return writeManual(cmd.OutOrStdout(), cmd.Root())
		},
	}
}

// writeManual writes the page in the man macros, groff_man(7).
func writeManual(w io.Writer, root *cobra.Command) error {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH BEACONWATCH.EXT 8 \"\" \"beaconwatch %s\" \"System Administration\"\n", roff(version))
	fmt.Fprintf(&b, ".SH NAME\nbeaconwatch.ext \\- %s\n", roff(root.Short))
	b.WriteString(".SH SYNOPSIS\n.B beaconwatch.ext\n[flags]\n.PP\n.B beaconwatch.ext\ncommand [flags] [arguments]\n")
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s", paragraphs(root.Long))
	section(&b, ".SH OPTIONS", root)
	b.WriteString(".SH COMMANDS\n")
	describe(&b, root)
	b.WriteString(".SH EXIT STATUS\n0 if all is well, 1 for a failure, 2 for a wrong call or configuration.\n")
	b.WriteString(".SH FILES\n")
	for _, f := range []struct{ path, what string }{
		{defaultConfig, "configuration; beaconwatch.ext config check"},
		{"/etc/beaconwatch/inventory.d/*.yaml", "rules: which program is expected to talk to whom"},
		{"/etc/default/beaconwatch", "how the package runs it: service, autoload, off"},
		{"/var/lib/beaconwatch", "state: histories, first-seen times, lock"},
		{"/run/beaconwatch/beaconwatch.sock", "SQL, for beaconwatch.ext query and osqueryi --connect"},
		{"/usr/share/beaconwatch/packs", "query packs, inventory, playbook"},
	} {
		fmt.Fprintf(&b, ".TP\n.I %s\n%s\n", roff(f.path), roff(f.what))
	}
	b.WriteString(".SH SEE ALSO\nosqueryi(1), ss(8)\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// describe writes a subsection for each command that people use, and for theirs.
func describe(b *strings.Builder, parent *cobra.Command) {
	for _, c := range parent.Commands() {
		if !c.IsAvailableCommand() {
			continue
		}
		fmt.Fprintf(b, ".SS %s\n", roff(strings.TrimPrefix(c.UseLine(), c.Root().Name()+" ")))
		long := c.Long
		if long == "" {
			long = c.Short + "."
		}
		b.WriteString(paragraphs(long))
		section(b, ".PP\n.B Flags", c)
		if c.Example != "" {
			fmt.Fprintf(b, ".PP\n.nf\n%s\n.fi\n", roff(c.Example))
		}
		describe(b, c)
	}
}

func section(b *strings.Builder, title string, c *cobra.Command) {
	first := true
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		if first {
			b.WriteString(title + "\n")
			first = false
		}
		kind, usage := pflag.UnquoteUsage(f)
		fmt.Fprintf(b, ".TP\n.B \\-\\-%s %s\n%s\n", roff(f.Name), roff(kind), roff(usage))
	})
}

// paragraphs writes text with its blank lines as paragraphs, and indented lines as they are.
func paragraphs(text string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		if strings.HasPrefix(part, " ") {
			fmt.Fprintf(&b, ".PP\n.nf\n%s\n.fi\n", roff(part))
			continue
		}
		fmt.Fprintf(&b, ".PP\n%s\n", roff(part))
	}
	return b.String()
}

// roff keeps text from being taken for markup.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
