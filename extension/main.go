// Command beaconwatch.ext is an osquery extension that watches which process sends what to whom and scores each program
// and destination for beaconing. With osquery's flags it is the extension; the same file has the commands a person uses.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// version and commit are stamped by the linker (Makefile).
var (
	version = "dev"
	commit  = "unknown"
)

// binaryName is what the file is called: osquery loads extensions that end in .ext only.
const binaryName = "beaconwatch.ext"

func main() {
	unix.Umask(0o077) // sockets, locks and histories are nobody else's business
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := exitCode(rootCommand().ExecuteContext(ctx), os.Stderr)
	stop()
	os.Exit(code)
}

// usageError marks what the caller can mend by calling differently: exit code 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, a ...any) error { return usageError{fmt.Errorf(format, a...)} }

// exitCode prints err as one sentence and returns 0 without one, 2 for usage, 1 for failure.
func exitCode(err error, w io.Writer) int {
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errSilent):
		return 1
	case errors.As(err, &usage):
		fmt.Fprintln(w, "beaconwatch.ext:", err)
		return 2
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(w, "beaconwatch.ext: interrupted")
		return 1
	}
	fmt.Fprintln(w, "beaconwatch.ext:", err)
	return 1
}

// errSilent is a failure that has been told already.
var errSilent = errors.New("failed")

func rootCommand() *cobra.Command {
	run := &serve{}
	root := &cobra.Command{
		Use:   binaryName,
		Short: "Find processes that beacon (ATT&CK AN0597), as an osquery extension or by itself",
		Long: `beaconwatch.ext watches which process sends what to whom and scores each program and destination for beaconing.

Without a command it is the sensor: it serves SQL on its own socket and, with --socket, registers its tables with osquery.
The commands below ask a running sensor, or watch by themselves where none runs.`,
		Example: `  beaconwatch.ext                                     # the sensor, as a service
  beaconwatch.ext --socket /var/osquery/osquery.em    # the same, with its tables in osquery
  beaconwatch.ext query --for 30s                     # watch for half a minute, then print candidates
  beaconwatch.ext query "SELECT path, reason FROM beacon_candidates"`,
		Args:          noArguments,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return run.run(cmd.Context()) },
	}
	run.bind(root)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w; see %s --help", err, cmd.CommandPath())
	})
	root.AddCommand(
		queryCommand(),
		demoCommand(),
		senderCommand(),
		replayCommand(),
		scoreCommand(),
		fleetCommand(),
		baselineCommand(),
		egressCommand(),
		topCommand(),
		explainCommand(),
		coverageCommand(),
		coverageStageCommandOf(),
		coverageSenderCommandOf(),
		reportCommand(),
		exportCommand(),
		doctorCommand(),
		configCommand(),
		purgeCommand(),
		versionCommand(),
		manualCommand(),
		rpmDatabaseCommand(),
	)
	root.InitDefaultCompletionCmd()
	if c, _, err := root.Find([]string{"completion"}); err == nil {
		c.Args, c.RunE = noArguments, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	return root
}

// noArguments refuses words that are no command, in the words of this program.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("unknown command %q; see %s --help", args[0], cmd.CommandPath())
	}
	return nil
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print version and commit", Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fmt.Fprintln(cmd.OutOrStdout(), fullVersion())
			return nil
		},
	}
}

func fullVersion() string { return version + " (" + commit + ")" }
