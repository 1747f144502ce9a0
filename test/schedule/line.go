package schedule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// item is one result on its way to the log (osquery's QueryLogItem).
type item struct {
	config  *Config
	name    string
	at      time.Time
	counter uint64
}

// logDifferential writes a line for each row, removed rows first, or one line for all of them; nothing for no change.
func (i *item) logDifferential(c change) (lines int, err error) {
	if len(c.added)+len(c.removed) == 0 {
		return 0, nil
	}
	if i.config.Batched {
		var b bytes.Buffer
		b.WriteString(`{"diffResults":{"removed":`)
		writeRows(&b, c.removed)
		b.WriteString(`,"added":`)
		writeRows(&b, c.added)
		b.WriteByte('}')
		i.writeHead(&b)
		return 1, writeLine(i.config.Results, &b)
	}
	if err := i.logEvents(i.config.Results, c.removed, "removed"); err != nil {
		return 0, err
	}
	return len(c.added) + len(c.removed), i.logEvents(i.config.Results, c.added, "added")
}

// logSnapshot writes one line, or one for each row and none for none.
func (i *item) logSnapshot(rows []row) (lines int, err error) {
	if i.config.SnapshotEvents {
		return len(rows), i.logEvents(i.config.Snapshots, rows, "snapshot")
	}
	var b bytes.Buffer
	b.WriteString(`{"snapshot":`)
	writeRows(&b, rows)
	b.WriteString(`,"action":"snapshot"`)
	i.writeHead(&b)
	return 1, writeLine(i.config.Snapshots, &b)
}

func (i *item) logEvents(w io.Writer, rows []row, action string) error {
	for _, r := range rows {
		var b bytes.Buffer
		b.WriteByte('{')
		i.writeHead(&b)
		b.WriteString(`,"columns":`)
		writeRow(&b, r)
		fmt.Fprintf(&b, `,"action":%q`, action)
		if err := writeLine(w, &b); err != nil {
			return err
		}
	}
	return nil
}

// writeHead writes what every line has, in osqueryd's order. calendarTime is C's asctime.
func (i *item) writeHead(b *bytes.Buffer) {
	if b.Len() > 1 {
		b.WriteByte(',')
	}
	at := i.at.UTC()
	fmt.Fprintf(b, `"name":%s,"hostIdentifier":%s,"calendarTime":%s,"unixTime":%d,"epoch":%d,"counter":%d,"numerics":%t`,
		quoted(i.name), quoted(i.config.Host), quoted(at.Format(time.ANSIC)+" UTC"), at.Unix(), i.config.Epoch, i.counter, i.config.Numerics)
	if len(i.config.Decorations) == 0 {
		return
	}
	b.WriteString(`,"decorations":{`)
	for n, key := range slices.Sorted(maps.Keys(i.config.Decorations)) {
		if n > 0 {
			b.WriteByte(',')
		}
		b.WriteString(quoted(key) + ":" + quoted(i.config.Decorations[key]))
	}
	b.WriteByte('}')
}

func writeRows(b *bytes.Buffer, rows []row) {
	b.WriteByte('[')
	for n, r := range rows {
		if n > 0 {
			b.WriteByte(',')
		}
		writeRow(b, r)
	}
	b.WriteByte(']')
}

func writeRow(b *bytes.Buffer, r row) {
	b.WriteByte('{')
	for n, f := range r.fields {
		if n > 0 {
			b.WriteByte(',')
		}
		b.WriteString(quoted(f.name) + ":")
		if f.number {
			b.WriteString(f.value)
		} else {
			b.WriteString(quoted(f.value))
		}
	}
	b.WriteByte('}')
}

func writeLine(w io.Writer, b *bytes.Buffer) error {
	b.WriteString("}\n")
	_, err := w.Write(b.Bytes())
	return err
}

// quoted is a JSON string; '<', '>' and '&' stay as they are.
func quoted(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}
