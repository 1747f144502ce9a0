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

// lastCall is when no further trial is begun, so that the host, which switches off after six minutes, hears of the others.
const lastCall = 4 * time.Minute

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

// watch holds the trials as far as time allows, and reads them and the standing whether or not all could be held.
func (s *sensor) watch(n network, report *figures.Report) error {
	held, err := s.hold(n)
	// all is read again at the end, when whatever a source may count twice has been counted twice
	for _, t := range held {
		_, unread := t.read(s)
		err = errors.Join(err, unread)
		if t.early != nil {
			report.Trials = append(report.Trials, *t.early)
		}
		report.Trials = append(report.Trials, t.Trial)
	}
	standing, unknown := s.standing()
	report.Full = standing
	return errors.Join(err, unknown)
}

func (s *sensor) hold(n network) ([]*trial, error) {
	var held []*trial
	for _, p := range programme() {
		if uptime() > lastCall {
			return held, fmt.Errorf("%s: too late, %s after the kernel's start", p.name, uptime().Round(time.Second))
		}
		t, err := n.stage(p)
		if err != nil {
			return held, fmt.Errorf("%s: %w", p.name, err)
		}
		held = append(held, t)
		if err := t.hold(s); err != nil {
			return held, fmt.Errorf("%s: %w", p.name, err)
		}
		fmt.Printf("guest: %s held, %s after the kernel's start\n", p.name, uptime().Round(time.Second)) // for the console
	}
	return held, nil
}
