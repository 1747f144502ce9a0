package enrichment

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// maxLine is the longest line of a database that is understood; longer ones (dependencies) are passed over.
const maxLine = 8192

// parseStatus decodes /var/lib/dpkg/status, stanzas of "Field: value" (deb822(5)), to the versions of the packages whose
// files are there, by the name of their files in info/: "name", and "name:arch" where several architectures may be.
func parseStatus(r io.Reader) (map[string]string, error) {
	versions := make(map[string]string)
	in := bufio.NewReaderSize(r, maxLine)
	var s stanza
	for {
		line, err := nextLine(in)
		switch {
		case err != nil && !errors.Is(err, io.EOF):
			return nil, err
		case err == nil && len(line) > 0:
			s.field(line)
			continue
		}
		s.note(versions)
		if err != nil {
			return versions, nil
		}
		if len(versions) > 2*maxPackages {
			return nil, fmt.Errorf("more than %d packages in the status file", maxPackages)
		}
		s = stanza{}
	}
}

// nextLine returns the next line without its end, valid until the next call; of one too long nothing but a space, which
// begins no field.
func nextLine(in *bufio.Reader) ([]byte, error) {
	line, more, err := in.ReadLine()
	if !more {
		return line, err
	}
	for more && err == nil {
		_, more, err = in.ReadLine()
	}
	return []byte{' '}, nil
}

// stanza is what matters of one package.
type stanza struct{ name, version, architecture, status string }

func (s *stanza) field(line []byte) {
	name, value, _ := bytes.Cut(line, []byte{':'})
	var at *string
	switch string(name) {
	case "Package":
		at = &s.name
	case "Version":
		at = &s.version
	case "Architecture":
		at = &s.architecture
	case "Status":
		at = &s.status
	default:
		return
	}
	*at = strings.TrimSpace(string(value))
}

// note adds the package if its files are there: "want ok state" with one of the states of dpkg(1) past unpacking.
func (s *stanza) note(versions map[string]string) {
	words := strings.Fields(s.status)
	if s.name == "" || len(words) != 3 ||
		!slices.Contains([]string{"installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending"}, words[2]) {
		return
	}
	versions[s.name] = s.version
	versions[s.name+":"+s.architecture] = s.version
}

// hasLine reports whether text has the line.
func hasLine(text []byte, line string) bool {
	for from := 0; ; {
		i := bytes.Index(text[from:], []byte(line))
		if i < 0 {
			return false
		}
		i += from
		end := i + len(line)
		if (i == 0 || text[i-1] == '\n') && (end == len(text) || text[end] == '\n') {
			return true
		}
		next := bytes.IndexByte(text[i:], '\n')
		if next < 0 {
			return false
		}
		from = i + next + 1
	}
}

// findMD5 looks a path without its first slash up in lines of "digest  path" (deb-md5sums(5)).
func findMD5(text []byte, path string) (sum string, ok bool) {
	const digits = 32
	for line := range bytes.Lines(text) {
		line = bytes.TrimRight(line, "\n")
		if len(line) != digits+2+len(path) || string(line[digits+2:]) != path || string(line[digits:digits+2]) != "  " {
			continue
		}
		if hex := string(bytes.ToLower(line[:digits])); isHex(hex) {
			return hex, true
		}
	}
	return "", false
}

func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == ""
}

// diversions are the paths under which another package's file, or an administrator's, stands instead (dpkg-divert(1)).
type diversions struct {
	// from has by the diverted path who diverts it, to by the new path where its file was meant to be.
	from map[string]diversion
	to   map[string]diversion
}

// diversion is one of them. by is the package whose own file stays, empty for an administrator.
type diversion struct{ from, by string }

// parseDiversions decodes /var/lib/dpkg/diversions, three lines each: from, to, and the package or ":".
func parseDiversions(text []byte) diversions {
	d := diversions{from: make(map[string]diversion), to: make(map[string]diversion)}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for ; len(lines) >= 3; lines = lines[3:] {
		one := diversion{from: lines[0], by: strings.TrimPrefix(lines[2], ":")}
		d.from[lines[0]], d.to[lines[1]] = one, one
	}
	return d
}

// listed returns under which path the file at path is listed: only by the package by, or by any but except, where these are
// not empty.
func (d diversions) listed(path string) (listed, by, except string) {
	if one, diverted := d.to[path]; diverted {
		return one.from, "", one.by
	}
	if one, diverted := d.from[path]; diverted {
		if one.by == "" {
			return path, ":", "" // an administrator's: of no package
		}
		return path, one.by, ""
	}
	return path, "", ""
}

// readAll reads at most limit bytes.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("longer than %d bytes", limit)
	}
	return text, err
}
