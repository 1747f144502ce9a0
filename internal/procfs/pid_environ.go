package procfs

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// maxEnviron is the most that execve(2) takes for arguments and environment together, whatever the stack limit.
const maxEnviron = 6 << 20

// maxName is the longest name of a variable that HasEnv tells apart.
const maxName = 62

// errEnviron is returned for an environment longer than any program can be given.
var errEnviron = errors.New("procfs: environ without end")

// HasEnv reports whether the environment the process was started with has one of the variables with a value, from
// /proc/PID/environ, proc_pid_environ(5). The process may since have overwritten it. Nothing of it is kept. It fails with
// ErrGone for a process without one: it is exiting and has given its memory up, or has only just begun to execute.
func (p PID) HasEnv(b *Buffer, names []string) (bool, error) {
	b.grow()
	fd, err := unix.Openat(p.dir, "environ", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, pidError("environ", err)
	}
	defer unix.Close(fd)
	defer clear(b.file)
	scan := envScanner{names: names}
	for total := 0; total < maxEnviron; {
		n, err := unix.Read(fd, b.file)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return false, pidError("environ", err)
		case n == 0 && total == 0:
			return false, p.emptyEnviron(b)
		case n == 0:
			return scan.end(), nil
		}
		total += n
		if scan.add(b.file[:n]) {
			return true, nil
		}
	}
	return false, fmt.Errorf("%w: over %d bytes", errEnviron, maxEnviron)
}

// emptyEnviron makes sure that an environment that reads as empty is one: field 51 of stat, env_end, is its address then.
func (p PID) emptyEnviron(b *Buffer) error {
	line, err := p.read("stat", b)
	if err != nil {
		return err
	}
	fields := bytes.Fields(line[bytes.LastIndexByte(line, ')')+1:]) // from the third on
	const envEnd = 51 - 3
	if len(fields) <= envEnd || string(fields[envEnd]) == "0" {
		return pidError("environ", ErrGone)
	}
	return nil
}

// envScanner looks for variables in NUL-terminated "NAME=value" strings that come in pieces. It keeps the beginning of
// one string at a time.
type envScanner struct {
	names []string
	head  [maxName + 2]byte
	n     int
}

// add takes the next piece and reports whether a variable was found.
func (s *envScanner) add(piece []byte) bool {
	for {
		part, rest, ended := bytes.Cut(piece, []byte{0})
		s.n += copy(s.head[s.n:], part)
		if !ended {
			return false
		}
		if s.end() {
			return true
		}
		piece = rest
	}
}

// end ends a string and reports whether it is one of the variables.
func (s *envScanner) end() bool {
	head := s.head[:s.n]
	s.n = 0
	for _, name := range s.names {
		if len(head) > len(name)+1 && string(head[:len(name)]) == name && head[len(name)] == '=' {
			return true
		}
	}
	return false
}
