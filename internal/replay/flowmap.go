package replay

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/beaconwatch/beaconwatch/internal/logfile"
)

// maxInFlight bounds the text that Map holds between reading and writing, beside the line being read.
const maxInFlight = MaxFlowLine

// keptBuffer is the size above which the buffers of a line are let go after use.
const keptBuffer = 1 << 20

// FlowLine is one line that is not blank: a Flow, or why there is none.
type FlowLine struct {
	Line int // from 1
	Flow Flow
	Err  error
}

// FlowReader reads our own flow format line by line and maps each line to another, on all cores.
type FlowReader struct {
	name  string
	file  *logfile.File
	lines *logfile.Lines
	stats Stats
	done  atomic.Int64

	broken error // what ended the input before its end
}

// OpenFlows opens a file of flows, plain, gzip or zstd; "-" is stdin. The reader must be closed.
func OpenFlows(path string, stdin io.Reader) (*FlowReader, error) {
	r := &FlowReader{name: path}
	opened, err := logfile.Open(path, stdin, &r.done)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r.file, r.lines = opened, logfile.NewLines(opened, MaxFlowLine)
	return r, nil
}

// flight is one line on its way through Map.
type flight struct {
	FlowLine
	text   []byte
	out    []byte
	weight int64
	done   chan struct{} // holds one token once out is complete
}

// Map decodes every line, renders it with a function of worker and writes what that appended to out, in the order of the
// input: blank lines give nothing, a bad line is rendered like any other, with Err set. It runs jobs workers (0: one for
// each CPU), each with a render function of its own; the FlowLine is valid during the call only. What is written is
// flushed whenever no line is waiting, so a slow pipe is answered line by line. Memory is bounded by 64 MiB of lines in
// flight and their decoded form. Map returns the first error of out, or that of ctx; an input that breaks off is a bad line
// of Stats, without a line of output. A read in progress is waited for. Map can be called once.
func (r *FlowReader) Map(ctx context.Context, jobs int, out io.Writer, worker func() func(dst []byte, line *FlowLine) []byte) error {
	if jobs <= 0 {
		jobs = runtime.GOMAXPROCS(0)
	}
	slots := 8 * jobs
	free, todo, order := make(chan *flight, slots), make(chan *flight, slots), make(chan *flight, slots)
	for range slots {
		free <- &flight{done: make(chan struct{}, 1)}
	}
	budget := semaphore.NewWeighted(maxInFlight)
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(todo)
		defer close(order)
		return r.read(running, budget, free, func(f *flight) { todo <- f; order <- f })
	})
	for range jobs {
		group.Go(func() error {
			render := worker()
			for f := range todo {
				if f.Err == nil {
					f.Err = f.Flow.Decode(f.text)
				}
				f.out = render(f.out[:0], &f.FlowLine)
				f.done <- struct{}{}
			}
			return nil
		})
	}
	group.Go(func() error {
		return r.write(running, out, order, func(f *flight) { budget.Release(f.weight); free <- f })
	})
	if err := cmp.Or(group.Wait(), ctx.Err()); err != nil {
		return err
	}
	if r.broken != nil {
		r.stats.Fault(r.name, r.lines.Number, r.broken)
	}
	return nil
}

// read cuts the input into flights, as many as there are free and as the budget allows.
func (r *FlowReader) read(ctx context.Context, budget *semaphore.Weighted, free <-chan *flight, start func(*flight)) error {
	for {
		line, err := r.lines.Next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil && !errors.Is(err, logfile.ErrTooLong):
			r.broken = err
			return nil
		case err == nil && len(bytes.TrimSpace(line)) == 0:
			continue
		}
		weight := int64(len(line))
		if err := budget.Acquire(ctx, weight); err != nil {
			return err
		}
		select {
		case f := <-free:
			f.text = append(f.text[:0], line...)
			f.Line, f.Err, f.weight = r.lines.Number, err, weight
			start(f)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// write writes the flights in order as they are done.
func (r *FlowReader) write(ctx context.Context, out io.Writer, order <-chan *flight, release func(*flight)) error {
	buffered := bufio.NewWriterSize(out, 64<<10)
	for f := range order {
		select {
		case <-f.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if f.Err != nil {
			r.stats.Fault(r.name, f.Line, f.Err)
		} else {
			r.stats.Rows++
		}
		if _, err := buffered.Write(f.out); err != nil {
			return err
		}
		if len(f.text) > keptBuffer {
			f.text, f.out, f.Flow = nil, nil, Flow{}
		}
		release(f)
		if len(order) == 0 {
			if err := buffered.Flush(); err != nil {
				return err
			}
		}
	}
	return buffered.Flush()
}

// Progress returns how many bytes of the file have been read and how many there are, compressed where they are (0: not
// known). It may be called at any time.
func (r *FlowReader) Progress() (read, total int64) { return r.done.Load(), r.file.Size }

// Stats returns what has become of the input; it must not be called while Map runs.
func (r *FlowReader) Stats() Stats { return r.stats }

// Close closes the file.
func (r *FlowReader) Close() { r.file.Close() }
