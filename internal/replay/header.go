package replay

import (
	"bytes"
	"fmt"
	"strconv"
)

// field is a column of conn.log that replay reads (Conn::Info, base/protocols/conn/main.zeek).
type field int8

const (
	fieldTS field = iota
	fieldOrigH
	fieldOrigP
	fieldRespH
	fieldRespP
	fieldProto
	fieldDuration
	fieldOrigBytes
	fieldRespBytes
	fieldState
	fieldLocalOrig
	fieldHistory
	fieldPath
	numFields
	noField field = -1
)

// fields is one row: the text of each column, nil where unset. The slices point into the line.
type fields [numFields][]byte

// fieldOf returns which field a column name is.
func fieldOf(name []byte) field {
	switch string(name) {
	case "ts":
		return fieldTS
	case "id.orig_h":
		return fieldOrigH
	case "id.orig_p":
		return fieldOrigP
	case "id.resp_h":
		return fieldRespH
	case "id.resp_p":
		return fieldRespP
	case "proto":
		return fieldProto
	case "duration":
		return fieldDuration
	case "orig_bytes":
		return fieldOrigBytes
	case "resp_bytes":
		return fieldRespBytes
	case "conn_state":
		return fieldState
	case "local_orig":
		return fieldLocalOrig
	case "history":
		return fieldHistory
	case "_path":
		return fieldPath
	}
	return noField
}

// required are the columns without which a log is no conn.log.
var required = []struct {
	field field
	name  string
}{
	{fieldTS, "ts"}, {fieldOrigH, "id.orig_h"}, {fieldRespH, "id.resp_h"}, {fieldRespP, "id.resp_p"},
	{fieldProto, "proto"}, {fieldState, "conn_state"},
}

// header is the shape of the rows that follow, as the ASCII writer of Zeek states it in lines that begin with '#'
// (base/frameworks/logging/writers/ascii.zeek). A file may hold several, one for each part that was concatenated.
type header struct {
	separator byte
	unset     []byte
	empty     []byte
	columns   []field // what each column is; nil before the first #fields
	foreign   bool    // the last #fields is that of another log
}

func newHeader() header {
	return header{separator: '\t', unset: []byte("-"), empty: []byte("(empty)")}
}

// isHeader reports whether a line is no row: it begins with '#', or it is the column names by themselves, as the writer
// gives them with tsv=T.
func isHeader(line []byte) bool { return line[0] == '#' || isNames(line) }

func isNames(line []byte) bool { return bytes.HasPrefix(line, []byte("ts\t")) }

// read takes in one header line. Lines it does not need (#open, #close, #path …) are passed over.
func (h *header) read(line []byte) error {
	if isNames(line) {
		return h.name(line)
	}
	if rest, ok := bytes.CutPrefix(line, []byte("#separator ")); ok {
		fresh := newHeader() // a new header block: nothing of the last one holds any more
		separator, err := unescape(rest)
		if err != nil || len(separator) != 1 {
			return fmt.Errorf("#separator %q is not one byte", clip(rest))
		}
		fresh.separator = separator[0]
		*h = fresh
		return nil
	}
	name, rest, _ := bytes.Cut(line, []byte{h.separator})
	switch string(name) {
	case "#unset_field":
		h.unset = bytes.Clone(rest)
	case "#empty_field":
		h.empty = bytes.Clone(rest)
	case "#fields":
		return h.name(rest)
	case "#types":
		if n := bytes.Count(rest, []byte{h.separator}) + 1; n != len(h.columns) {
			return fmt.Errorf("#types has %d columns, #fields %d", n, len(h.columns))
		}
	}
	return nil
}

// name takes in the column names, and refuses those of another log.
func (h *header) name(names []byte) error {
	h.columns, h.foreign = nil, false
	var have [numFields]bool
	for part := range bytes.SplitSeq(names, []byte{h.separator}) {
		f := fieldOf(part)
		if f != noField && have[f] {
			h.columns = nil
			return fmt.Errorf("#fields names %s twice", part)
		}
		if f != noField {
			have[f] = true
		}
		h.columns = append(h.columns, f)
	}
	for _, r := range required {
		if !have[r.field] {
			h.foreign = true
			return fmt.Errorf("not a conn.log: #fields has no %s", r.name)
		}
	}
	return nil
}

// unescape resolves the \xHH escapes of a header value.
func unescape(text []byte) ([]byte, error) {
	var out []byte
	for len(text) > 0 {
		if len(text) >= 4 && text[0] == '\\' && text[1] == 'x' {
			n, err := strconv.ParseUint(string(text[2:4]), 16, 8)
			if err != nil {
				return nil, err
			}
			out, text = append(out, byte(n)), text[4:]
			continue
		}
		out, text = append(out, text[0]), text[1:]
	}
	return out, nil
}

// clip cuts text that goes into a message to a readable length.
func clip(text []byte) []byte {
	if len(text) > 40 {
		return text[:40]
	}
	return text
}
