// Command guest is process 1 of a virtual machine: it prepares the kernel it finds itself on, lets the real binary watch
// real processes, and writes what both sides say to a second serial line. It judges nothing. Copies of it are the
// processes that send.
package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/kernel/figures"
)

const (
	sensorBinary = "/beaconwatch.ext" // put there by the host
	modulesDir   = "/modules"
	reportLine   = "/dev/ttyS1"
)

func main() {
	if os.Getpid() != 1 {
		if err := playSender(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if err := live(); err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
	}
	unix.Sync()
	// process 1 may not return
	fmt.Fprintln(os.Stderr, "guest: power off:", unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF))
	select {}
}

// live is the guest's whole life.
func live() error {
	if err := mountAll(); err != nil {
		return err
	}
	report := figures.Report{Booted: uptime()}
	if err := examine(&report); err != nil {
		report.Problem = err.Error()
	}
	report.Took = uptime() - report.Booted
	line, err := os.OpenFile(reportLine, os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer line.Close()
	return report.Write(line)
}

// examine fills the report as far as it gets.
func examine(report *figures.Report) error {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return err
	}
	report.Release = strings.TrimSpace(string(release))
	for _, kind := range []string{"/network", "/senders"} {
		if err := loadModules(modulesDir + kind); err != nil {
			return err
		}
	}
	net, err := layNetwork()
	if err != nil {
		return err
	}
	if report.Bare, err = standAlone(); err != nil {
		return fmt.Errorf("without the sock_diag modules: %w", err)
	}
	if err := loadModules(modulesDir + "/sock_diag"); err != nil {
		return err
	}
	return holdTrials(net, report)
}

// uptime is the time since the kernel started.
func uptime() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0
	}
	return time.Duration(now.Nano())
}
