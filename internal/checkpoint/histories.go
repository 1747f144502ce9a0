package checkpoint

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/process"
)

// historiesFormat is of records, see recordWriter.
var historiesFormat = Format{Kind: "histories", Version: 1, Limit: 1 << 30}

// Kinds of records, in the order in which they are written.
const (
	headKind    = 'h'
	programKind = 'p'
	pairKind    = 'a'
	flowKind    = 'f'
	knownKind   = 'k'
)

// Known is what was known of a process when its histories were saved.
type Known struct {
	Info  process.Info
	Facts process.Facts
}

// head says on which time line the instants of a file lie.
type head struct {
	Boot   string        `json:"boot"`   // boot_id, proc_sys_kernel(5)
	Offset time.Duration `json:"offset"` // from time since boot to time since the Unix epoch
	Saved  time.Time     `json:"saved"`
}

// HistoriesConfig says what is kept, and on which time line. Store, Boot and Offset are required.
type HistoriesConfig struct {
	Store *history.Store
	// Boot names this boot of the host (boot_id), Offset is from time since boot to time since the Unix epoch, now.
	Boot   string
	Offset func() time.Duration
	// Now is the wall clock; nil means time.Now.
	Now func() time.Time
	// Known is what is known of a process; nil keeps nothing of processes.
	Known func(process.ID) (Known, bool)
	// Alive reports whether a process of the file still runs; nil takes it to.
	Alive func(process.ID) bool
}

// Histories keeps the histories of a store in a file, with what is known of the processes that made them. It is safe for
// concurrent use.
type Histories struct {
	config HistoriesConfig

	saving sync.Mutex // held by whoever writes; guards path
	path   string

	mu       sync.Mutex // guards what follows
	saved    time.Time
	restored map[process.ID]Known
}

// NewHistories returns Histories that are kept nowhere yet.
func NewHistories(c HistoriesConfig) (*Histories, error) {
	if c.Store == nil || c.Boot == "" || c.Offset == nil {
		return nil, errors.New("checkpoint: a store, a boot and a clock are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Alive == nil {
		c.Alive = func(process.ID) bool { return true }
	}
	return &Histories{config: c}, nil
}

// Load restores what the file at path holds into the store, which must not record yet, and has it saved there from now on.
// If there is none it starts clean. An error says why what was there cannot be used (see Format.Read).
func (h *Histories) Load(path string) error {
	h.saving.Lock()
	defer h.saving.Unlock()
	h.path = path
	err := historiesFormat.Read(path, h.decode)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		h.config.Store.Clear() // half a file is no file
		h.mu.Lock()
		h.restored = nil
		h.mu.Unlock()
	}
	return err
}

// Read restores what a file of another sensor holds into the store. The file stays as it is.
func (h *Histories) Read(path string) error { return historiesFormat.Peek(path, h.decode) }

// hanging is how long a save may take before it is said to hang, if the next one is not due before that.
const hanging = 10 * time.Second

// Run saves every interval, and once more when ctx ends. failed is told why the file could not be written, or that the disk takes no
// more of it; the histories are then in memory only until it can be.
func (h *Histories) Run(ctx context.Context, every time.Duration, failed func(error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		late := min(hanging, every)
		warning := time.AfterFunc(late, func() {
			failed(fmt.Errorf("histories are in memory only: the disk has not taken them for %s, and goes on to hang", late))
		})
		err := h.Save()
		warning.Stop()
		if err != nil {
			failed(err)
		}
	}
}

// Save writes the file if it is kept anywhere.
func (h *Histories) Save() error {
	h.saving.Lock()
	defer h.saving.Unlock()
	if h.path == "" {
		return nil
	}
	if err := historiesFormat.Write(h.path, h.encode); err != nil {
		return fmt.Errorf("histories are in memory only: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.saved = h.config.Now()
	return nil
}

// Saved is when the file was last written, zero if it never was.
func (h *Histories) Saved() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.saved
}

// Process is what the file knew of a process; false for one it did not know.
func (h *Histories) Process(id process.ID) (Known, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k, ok := h.restored[id]
	return k, ok
}

// Forget drops what is known of processes of earlier sensors. The store is its owner's to clear.
func (h *Histories) Forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.restored = nil
}

func (h *Histories) encode(to io.Writer) error {
	w := &recordWriter{to: to}
	if err := w.json(headKind, head{h.config.Boot, h.config.Offset(), h.config.Now().UTC()}); err != nil {
		return err
	}
	who := map[process.ID]bool{}
	err := h.config.Store.Save(history.Visitor{
		Program: func(p *history.SavedProgram) error {
			w.program(p)
			return w.end(programKind)
		},
		Pair: func(p *history.SavedPair) error {
			who[p.Latest] = true
			w.pair(p)
			return w.end(pairKind)
		},
		Flow: func(f *history.SavedFlow) error {
			who[f.Process] = true
			w.flow(f)
			return w.end(flowKind)
		},
	})
	if err != nil || h.config.Known == nil {
		return err
	}
	for id := range who {
		if k, ok := h.config.Known(id); ok {
			k.Info.ID = id
			if err := w.json(knownKind, k); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *recordWriter) json(kind byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.body = append(w.body, b...)
	return w.end(kind)
}

// decode restores a file. It may have restored a part of it when it fails.
func (h *Histories) decode(_ uint32, from io.Reader) error {
	r := &recordReader{from: bufio.NewReader(from)}
	kind, err := r.next()
	if err != nil || kind != headKind {
		return errors.Join(errors.New("it does not begin with a head"), err)
	}
	var written head
	if err := json.Unmarshal(r.body, &written); err != nil {
		return err
	}
	into := h.config.Store.Restorer()
	if written.Boot != h.config.Boot {
		// a clock that was set back since must not leave histories in the future, where what comes now would not follow them
		into.Shift = written.Offset - h.config.Offset() - max(written.Saved.Sub(h.config.Now()), 0)
		into.Process = process.ID.Former
	}
	in := intake{reader: r, into: into, alive: h.config.Alive, known: map[process.ID]Known{}}
	for {
		kind, err := r.next()
		if err == io.EOF { // between two records, and so the end
			break
		}
		if err == nil {
			err = in.take(kind)
		}
		if err != nil {
			return err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.restored, h.saved = in.known, written.Saved
	return nil
}

// intake takes records in, one after the other.
type intake struct {
	reader  *recordReader
	into    *history.Restorer
	alive   func(process.ID) bool
	known   map[process.ID]Known
	program history.SavedProgram
	pair    history.SavedPair
	flow    history.SavedFlow
}

func (in *intake) take(kind byte) error {
	switch kind {
	case programKind:
		if err := in.reader.program(&in.program); err != nil {
			return err
		}
		return in.into.Program(&in.program)
	case pairKind:
		if err := in.reader.pair(&in.pair); err != nil {
			return err
		}
		return in.into.Pair(&in.pair)
	case flowKind:
		if err := in.reader.flow(&in.flow); err != nil {
			return err
		}
		return in.into.Flow(&in.flow)
	case knownKind:
		var k Known
		if err := json.Unmarshal(in.reader.body, &k); err != nil {
			return err
		}
		k.Info.ID = in.into.Process(k.Info.ID)
		k.Info.Exited = k.Info.Exited || k.Info.ID.IsFormer() || !in.alive(k.Info.ID)
		in.known[k.Info.ID] = k
		return nil
	}
	return fmt.Errorf("a record of the unknown kind %q", kind)
}
