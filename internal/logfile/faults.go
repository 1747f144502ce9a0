package logfile

import "fmt"

// MaxKept bounds how many bad lines are kept with their reason; the rest are only counted.
const MaxKept = 20

// BadLine is a line that could not be read, or the place where a file broke off.
type BadLine struct {
	File string
	Line int
	Err  error
}

// Error names the place first, as compilers do.
func (b BadLine) Error() string { return fmt.Sprintf("%s:%d: %v", b.File, b.Line, b.Err) }

func (b BadLine) Unwrap() error { return b.Err }

// Faults counts bad lines and keeps the first few.
type Faults struct {
	Bad      uint64
	BadLines []BadLine
}

// Fault takes in a bad line.
func (f *Faults) Fault(file string, line int, err error) {
	f.Bad++
	if len(f.BadLines) < MaxKept {
		f.BadLines = append(f.BadLines, BadLine{file, line, err})
	}
}
