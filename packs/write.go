package packs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/beaconwatch/beaconwatch/internal/pack"
	"github.com/beaconwatch/beaconwatch/internal/table"
)

// file is one generated file.
type file struct {
	path string // within the directory of the packs
	text []byte
}

// descriptions are those of the packs, where a format has room for one.
var descriptions = []struct{ pack, text string }{
	{pack.Detection, "Programs that beacon and are not expected to (ATT&CK AN0597), and tampering with the sensor. No rows when all is well."},
	{pack.Hunting, "For hunting and for prevalence across hosts: candidates, their processes, who sends what to whom, who talks for the first time."},
	{pack.Health, "State and coverage of the sensor, and drift of its configuration and inventory."},
}

// generate returns every generated file of the packs. Each passes the check of its kind.
func generate() ([]file, error) {
	queries, err := Queries()
	if err != nil {
		return nil, err
	}
	host, err := NewHost(table.Deps{}, nil)
	if err != nil {
		return nil, err
	}
	defer host.Close()
	w := writer{prepare: Prepare(host)}
	var scheduled []pack.Query
	for _, d := range descriptions {
		mine := pack.Of(queries, d.pack)
		scheduled = append(scheduled, mine...)
		w.add("beacon-"+d.pack+".conf", pack.CheckOsquery)(pack.Osquery(mine))
		name := "beacon-" + d.pack
		w.add("elastic/"+name+".json", pack.CheckElastic)(pack.Elastic(name, d.text, mine, w.prepare, true))
		w.add("elastic/before-9.5/"+name+".json", pack.CheckElastic)(pack.Elastic(name, d.text, mine, w.prepare, false))
	}
	w.add("fleet-gitops/lib/beaconwatch.reports.yml", pack.CheckFleetReports)(pack.FleetReports(scheduled))
	w.add("fleet-gitops/lib/beaconwatch.policies.yml", pack.CheckFleetPolicies)(pack.FleetPolicies(pack.Of(queries, pack.Policy)))
	for _, older := range []bool{false, true} {
		path := map[bool]string{false: "fleet-gitops/fleets/example.yml", true: "fleet-gitops/teams/example.yml"}[older]
		w.add(path, func(file string, text []byte, _ pack.Prepare) error { return pack.CheckFleetFile(file, text, older) })(pack.FleetFile(older))
	}
	w.add("sigma/beaconwatch.yml", func(string, []byte, pack.Prepare) error { return nil })(pack.Sigma(pack.Of(queries, pack.Detection)))
	w.files = append(w.files, file{"tables.md", reference()}, file{"queries.md", catalogue(queries)})
	return w.files, errors.Join(w.mistakes...)
}

type writer struct {
	prepare  pack.Prepare
	files    []file
	mistakes []error
}

// add takes a file as it is written, and checks it.
func (w *writer) add(path string, check func(string, []byte, pack.Prepare) error) func([]byte, error) {
	return func(text []byte, err error) {
		if err == nil {
			err = check(path, text, w.prepare)
		}
		if err != nil {
			w.mistakes = append(w.mistakes, err)
			return
		}
		w.files = append(w.files, file{path: path, text: text})
	}
}

// Write writes every generated file below dir, all or, after an error, those before it.
func Write(dir string) error {
	files, err := generate()
	if err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(dir, f.path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, f.text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Check says which files below dir are not what Write would write.
func Check(dir string) error {
	files, err := generate()
	if err != nil {
		return err
	}
	var mistakes []error
	for _, f := range files {
		path := filepath.Join(dir, f.path)
		text, err := os.ReadFile(path)
		if err != nil {
			mistakes = append(mistakes, err)
		} else if !bytes.Equal(text, f.text) {
			mistakes = append(mistakes, fmt.Errorf("%s is not current: run make packs", path))
		}
	}
	return errors.Join(mistakes...)
}
