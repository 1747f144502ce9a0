package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/beaconwatch/beaconwatch/test/kernel/figures"
)

// senderBinary is the program that the rows must name: a copy of this one.
const senderBinary = "/bin/sender"

// holdTrials has one sensor watch all the traffic, and fills in what it says and where it stands.
func holdTrials(n network, report *figures.Report) error {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return err
	}
	if err := os.MkdirAll("/bin", 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(senderBinary, self, 0o755); err != nil {
		return err
	}
	s, err := startSensor()
	if err != nil {
		return err
	}
	err = s.watch(n, report)
	return errors.Join(err, s.stop())
}

func (s *sensor) watch(n network, report *figures.Report) error {
	var held []*trial
	for _, p := range programme() {
		t, err := n.stage(p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if err := t.hold(s); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		held = append(held, t)
		fmt.Printf("guest: %s held, %s after the kernel's start\n", p.name, uptime().Round(time.Second)) // for the console
	}
	// all is read again at the end, when whatever a source may count twice has been counted twice
	for _, t := range held {
		if _, err := t.read(s); err != nil {
			return err
		}
		if t.early != nil {
			report.Trials = append(report.Trials, *t.early)
		}
		report.Trials = append(report.Trials, t.Trial)
	}
	var err error
	report.Full, err = s.standing()
	return err
}
