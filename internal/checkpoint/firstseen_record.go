package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// firstSeenFormat is of JSON, so that a person can read it: the frame around it is a line and a checksum.
var firstSeenFormat = Format{Kind: "first-seen", Version: 1, Limit: 64 << 20}

// record is what is written of a FirstSeen.
type record struct {
	Since        int64               `json:"since"`
	Programs     []programRecord     `json:"programs"`
	Destinations []destinationRecord `json:"destinations"`
	Files        []fileRecord        `json:"files"`
}

type programRecord struct {
	Path     string `json:"path"`
	Script   string `json:"script,omitempty"`
	UID      uint32 `json:"uid"`
	Workload string `json:"workload,omitempty"`
	spanRecord
}

type destinationRecord struct {
	Protocol send.Protocol  `json:"protocol"`
	Remote   netip.AddrPort `json:"remote"`
	spanRecord
}

type fileRecord struct {
	Inode   uint64 `json:"inode"`
	Size    int64  `json:"size"`
	Mode    uint32 `json:"mode"`
	Owner   uint32 `json:"owner"`
	Group   uint32 `json:"group"`
	Changed int64  `json:"changed"`
	Born    int64  `json:"born"`
	spanRecord
}

type spanRecord struct {
	First int64 `json:"first"`
	Last  int64 `json:"last"`
}

// record copies what is to be written, and takes note that it will be; changed is false if nothing has since last time.
func (f *FirstSeen) record() (r record, changed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.changed {
		return record{}, false
	}
	f.changed = false
	r.Since = f.since.Unix()
	for p, s := range f.programs.at {
		r.Programs = append(r.Programs, programRecord{p.Path, p.Script, p.UID, p.Workload, spanRecord{s.first, s.last}})
	}
	for d, s := range f.destinations.at {
		r.Destinations = append(r.Destinations, destinationRecord{d.Protocol, d.Remote, spanRecord{s.first, s.last}})
	}
	for x, s := range f.files.at {
		r.Files = append(r.Files, fileRecord{x.Inode, x.Size, x.Mode, x.Owner, x.Group, x.Changed, x.Born, spanRecord{s.first, s.last}})
	}
	return r, true
}

func (r record) encode(to io.Writer) error { return json.NewEncoder(to).Encode(r) }

// decode takes over what was written. It changes nothing if it fails.
func (f *FirstSeen) decode(_ uint32, from io.Reader) error {
	in := json.NewDecoder(from)
	in.DisallowUnknownFields()
	var r record
	if err := in.Decode(&r); err != nil {
		return err
	}
	if in.More() {
		return errors.New("more than one record")
	}
	if r.Since <= 0 {
		return fmt.Errorf("it began at %d", r.Since)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	programs := ages[process.Program]{limit: f.programs.limit}
	for _, p := range r.Programs {
		if err := restore(&programs, process.Program{Path: p.Path, Script: p.Script, UID: p.UID, Workload: p.Workload}, p.spanRecord, r.Since); err != nil {
			return err
		}
	}
	destinations := ages[send.Destination]{limit: f.destinations.limit}
	for _, d := range r.Destinations {
		if err := restore(&destinations, send.Destination{Protocol: d.Protocol, Remote: d.Remote}, d.spanRecord, r.Since); err != nil {
			return err
		}
	}
	files := ages[process.File]{limit: f.files.limit}
	for _, x := range r.Files {
		file := process.File{Inode: x.Inode, Size: x.Size, Mode: x.Mode, Owner: x.Owner, Group: x.Group, Changed: x.Changed, Born: x.Born}
		if err := restore(&files, file, x.spanRecord, r.Since); err != nil {
			return err
		}
	}
	f.since = time.Unix(r.Since, 0).UTC()
	f.programs, f.destinations, f.files = programs, destinations, files
	return nil
}

// restore takes over one entry.
func restore[K comparable](a *ages[K], k K, s spanRecord, since int64) error {
	if s.First < since || s.Last < s.First {
		return fmt.Errorf("something was seen from %d to %d in a record that began at %d", s.First, s.Last, since)
	}
	a.set(k, span{first: s.First, last: s.Last})
	return nil
}
