package replay

import (
	"bytes"
	"errors"
	"fmt"
)

var errNoHeader = errors.New("row before #fields")

// row splits a line of tab-separated values into the fields the header names. A line with a column more or less than the
// header is refused, which is how a line cut short in the middle is found.
func (h *header) row(line []byte, f *fields) error {
	if h.columns == nil {
		return errNoHeader
	}
	*f = fields{}
	rest := line
	for _, at := range h.columns {
		if rest == nil {
			return h.miscounted(line)
		}
		value := rest
		if i := bytes.IndexByte(rest, h.separator); i >= 0 {
			value, rest = rest[:i], rest[i+1:]
		} else {
			rest = nil
		}
		if at != noField && h.set(value) {
			f[at] = value
		}
	}
	if rest != nil {
		return h.miscounted(line)
	}
	return nil
}

func (h *header) miscounted(line []byte) error {
	n := bytes.Count(line, []byte{h.separator}) + 1
	return fmt.Errorf("%d columns where #fields has %d", n, len(h.columns))
}

// set reports whether a column holds a value.
func (h *header) set(value []byte) bool {
	return len(value) > 0 && !bytes.Equal(value, h.unset) && !bytes.Equal(value, h.empty)
}
