package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/kernel/figures"
)

const (
	sensorSocket = "/run/beaconwatch.sock"
	sensorState  = "/run/beaconwatch"
	// patience is for one step on an emulated processor, some twenty times slower than a real one.
	patience = 60 * time.Second
	// budget is some ten times the default one, for the same reason.
	budget = "0.2"
	pause  = 500 * time.Millisecond
)

// sensor is the real binary, watching.
type sensor struct{ cmd *exec.Cmd }

// startSensor returns when the sensor has looked once and has found its level, or does not find any.
func startSensor() (*sensor, error) {
	s := &sensor{exec.Command(sensorBinary, "--listen_socket", sensorSocket, "--state_dir", sensorState, "--cpu_budget", budget)}
	s.cmd.Stdout, s.cmd.Stderr = os.Stdout, os.Stderr
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	begun := time.Now()
	err := await(func() (bool, error) {
		conn, err := net.Dial("unix", sensorSocket) // without one a query would start a sensor of its own
		if err != nil {
			return false, nil
		}
		conn.Close()
		standing, err := s.standing()
		levelled := standing.Level() != "none" || time.Since(begun) > settled
		return standing.Status["samples"] != "0" && levelled, err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the sensor: %w", err), s.stop())
	}
	return s, nil
}

// stop ends the sensor politely; a sensor that does not then exit with 0 is an error.
func (s *sensor) stop() error {
	if err := s.cmd.Process.Signal(unix.SIGTERM); err != nil {
		return fmt.Errorf("stop the sensor: %w", err)
	}
	force := time.AfterFunc(patience, func() { _ = s.cmd.Process.Kill() })
	defer force.Stop()
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("the sensor ended with %w", err)
	}
	return nil
}

// query asks the sensor as a person would: by the command.
func (s *sensor) query(sql string) ([]map[string]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, sensorBinary, "query", "--listen_socket", sensorSocket, "--json", sql)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	rows, err := readRows(out)
	if err != nil {
		return nil, fmt.Errorf("answer to %s: %w", sql, err)
	}
	return rows, nil
}

// readRows reads rows of JSON. Numbers are as they are written, null is the empty text.
func readRows(text []byte) ([]map[string]string, error) {
	var read []map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&read); err != nil {
		return nil, err
	}
	rows := make([]map[string]string, len(read))
	for i, r := range read {
		rows[i] = make(map[string]string, len(r))
		for column, value := range r {
			rows[i][column] = ""
			if value != nil {
				rows[i][column] = fmt.Sprint(value)
			}
		}
	}
	return rows, nil
}

// standing is what the sensor says about itself now.
func (s *sensor) standing() (figures.Standing, error) {
	status, err := s.query("SELECT * FROM beacon_sensor_status")
	if err != nil {
		return figures.Standing{}, err
	}
	if len(status) != 1 {
		return figures.Standing{}, fmt.Errorf("beacon_sensor_status has %d rows", len(status))
	}
	sources, err := s.query("SELECT * FROM beacon_sensor_sources")
	return figures.Standing{Status: status[0], Sources: sources}, err
}

// standAlone starts a sensor only to ask how well it sees.
func standAlone() (figures.Standing, error) {
	s, err := startSensor()
	if err != nil {
		return figures.Standing{}, err
	}
	standing, err := s.standing()
	return standing, errors.Join(err, s.stop())
}

// await asks until the answer is yes. It gives up on an error, or when patience is over.
func await(yes func() (bool, error)) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(pause) {
		if ok, err := yes(); ok || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return errOverdue
		}
	}
}

var errOverdue = errors.New("not within " + patience.String())

// natural reads a column that holds a natural number; NULL is 0.
func natural(row map[string]string, column string) (uint64, error) {
	if row[column] == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(row[column], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("column %s: %w", column, err)
	}
	return n, nil
}
