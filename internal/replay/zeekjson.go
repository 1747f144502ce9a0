package replay

// jsonRow reads a conn.log row in JSON: one flat object, "id.orig_h" as one name or as an object "id" with its members,
// columns that are unset left out or null. Of a name given twice the last counts.
func jsonRow(line []byte, f *fields) error {
	*f = fields{}
	s := scanner{text: line}
	if err := s.members("", f); err != nil {
		return err
	}
	return s.end()
}

// members reads an object into f, its names prefixed.
func (s *scanner) members(prefix string, f *fields) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	for n := 0; ; n++ {
		more, err := s.next('}', n)
		if err != nil || !more {
			return err
		}
		name, err := s.key()
		if err != nil {
			return err
		}
		if prefix == "" && string(name) == "id" && s.peek() == '{' {
			if err := s.members("id.", f); err != nil {
				return err
			}
			continue
		}
		at := memberOf(prefix, name)
		value, err := s.value()
		if err != nil {
			return err
		}
		if at != noField {
			f[at] = value.scalar()
		}
	}
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
func (t token) scalar() []byte {
	if t.Kind == 'n' {
		return nil
	}
	return t.Raw
}
