package procfs

import "bytes"

// Args returns the argument vector of the process, proc_pid_cmdline(5), of at most 16 KiB. It is what the process chooses
// to show and may hold any byte. A process without one (a kernel thread, a zombie) has no arguments.
func (p PID) Args(b *Buffer) ([]string, error) {
	text, err := p.read("cmdline", b)
	if err != nil {
		return nil, err
	}
	return splitArgs(text), nil
}

// splitArgs cuts the NUL-terminated arguments apart. A missing last NUL is what a truncated or rewritten vector leaves.
func splitArgs(text []byte) []string {
	text = bytes.TrimRight(text, "\x00")
	if len(text) == 0 {
		return nil
	}
	args := make([]string, 0, 1+bytes.Count(text, []byte{0}))
	for {
		arg, rest, more := bytes.Cut(text, []byte{0})
		args = append(args, string(arg))
		if !more {
			return args
		}
		text = rest
	}
}
