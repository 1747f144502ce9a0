package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
)

// maxBytes bounds a configuration file: ours fits on a page.
const maxBytes = 1 << 20

// apply decodes text onto c, refusing keys it does not know. An error begins with line and column.
func apply(c *Config, text []byte) error {
	if len(text) > maxBytes {
		return fmt.Errorf("1:1: the file has %d bytes, at most %d are read", len(text), maxBytes)
	}
	var content any
	if err := yaml.Unmarshal(text, &content); err == nil && content == nil {
		return nil // nothing but comments; decoding that onto c would clear it
	}
	changed := *c
	err := yaml.UnmarshalWithOptions(text, &changed, yaml.Strict())
	if err != nil {
		return located(err)
	}
	*c = changed
	return nil
}

// located puts the library's position in front of its message, on one line.
func located(err error) error {
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil && at.GetToken().Position != nil {
		p := at.GetToken().Position
		return fmt.Errorf("%d:%d: %s", p.Line, p.Column, oneLine(at.GetMessage()))
	}
	return fmt.Errorf("1:1: %s", oneLine(err.Error()))
}

func oneLine(s string) string {
	return strings.Join(strings.Fields(s), " ")
}
