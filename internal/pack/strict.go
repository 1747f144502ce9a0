package pack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/goccy/go-yaml"
)

// strictJSON decodes one JSON value into maps, slices, strings, booleans and json.Number. Comments, trailing commas, a key
// that is there twice and anything after the value are errors with the line.
func strictJSON(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	v, err := jsonValue(decoder)
	if err == nil {
		if _, err = decoder.Token(); errors.Is(err, io.EOF) {
			return v, nil
		} else if err == nil {
			err = errors.New("there is more after the JSON value")
		}
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	line := 1 + bytes.Count(text[:min(decoder.InputOffset(), int64(len(text)))], []byte("\n"))
	return nil, fmt.Errorf("line %d: not strict JSON: %w", line, err)
}

// maxDepth bounds nesting: the stack is ours.
const maxDepth = 100

func jsonValue(d *json.Decoder) (any, error) { return jsonNested(d, 0) }

func jsonNested(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	delimiter, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	if delimiter == '[' {
		list := []any{}
		for d.More() {
			v, err := jsonNested(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	}
	members := map[string]any{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := key.(string)
		if _, twice := members[name]; twice {
			return nil, fmt.Errorf("the key %q is there twice", name)
		}
		if members[name], err = jsonNested(d, depth+1); err != nil {
			return nil, err
		}
	}
	_, err = d.Token()
	return members, err
}

// strictYAML decodes one YAML document into the same kinds of values; a key that is there twice is an error.
func strictYAML(text []byte) (any, error) {
	var v any
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&v); err != nil {
		message, _, _ := strings.Cut(yaml.FormatError(err, false, false), "\n")
		return nil, fmt.Errorf("not YAML: %s", message)
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one YAML document")
	}
	return plain(v), nil
}

// plain turns YAML's kinds of numbers and maps into those of strictJSON.
func plain(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
		return v
	case map[string]any:
		for key := range v {
			v[key] = plain(v[key])
		}
		return v
	case uint64, int64, float64:
		return json.Number(fmt.Sprint(v))
	}
	return v
}
