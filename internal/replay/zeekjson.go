package replay

import "github.com/beaconwatch/beaconwatch/internal/jsonscan"

// jsonRow reads a conn.log row in JSON: one flat object, "id.orig_h" as one name or as an object "id" with its members,
// columns that are unset left out or null. Of a name given twice the last counts.
func jsonRow(line []byte, f *fields) error {
	*f = fields{}
	s := jsonscan.Scanner{Text: line}
	if err := members(&s, "", f); err != nil {
		return err
	}
	return s.End()
}

// members reads an object into f, its names prefixed.
func members(s *jsonscan.Scanner, prefix string, f *fields) error {
	return s.Members(func(name []byte) error {
		if prefix == "" && string(name) == "id" && s.Peek() == '{' {
			return members(s, "id.", f)
		}
		at := memberOf(prefix, name)
		value, err := s.Value()
		if err == nil && at != noField {
			f[at] = scalar(value)
		}
		return err
	})
}

// memberOf returns which field a name within "id" (prefix "id.") or at the top (prefix "") is.
func memberOf(prefix string, name []byte) field {
	if prefix == "" {
		return fieldOf(name)
	}
	switch string(name) {
	case "orig_h":
		return fieldOrigH
	case "orig_p":
		return fieldOrigP
	case "resp_h":
		return fieldRespH
	case "resp_p":
		return fieldRespP
	}
	return noField
}

// scalar returns the text of a value as the tab-separated form has it; nil for null. What is no scalar keeps its
// brackets, and so fails to parse as one.
func scalar(t jsonscan.Token) []byte {
	if t.Kind == 'n' {
		return nil
	}
	return t.Raw
}
