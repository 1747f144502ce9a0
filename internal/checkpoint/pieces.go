package checkpoint

import (
	"encoding/binary"
	"math"

	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// The pieces of a store as records. Each is written and read by two functions that name the same fields in the same order.

func (w *recordWriter) program(p *history.SavedProgram) {
	w.uint(p.ID)
	w.text(p.Key.Program.Path)
	w.text(p.Key.Program.Script)
	w.uint(uint64(p.Key.Program.UID))
	w.text(p.Key.Program.Workload)
	w.text(p.Key.Host)
	w.process(p.Latest)
	w.uint(uint64(p.Ever))
	w.uint(uint64(p.Processes))
	w.totals(&p.Totals)
	w.bool(p.HasAll)
	w.series(&p.All)
}

func (r *recordReader) program(p *history.SavedProgram) error {
	*p = history.SavedProgram{ID: r.uint(), Key: history.Key{
		Program: process.Program{Path: r.text(), Script: r.text(), UID: uint32(r.uint()), Workload: r.text()}, Host: r.text()},
		Latest: r.process(), Ever: int(r.uint()), Processes: int(r.uint()), Totals: r.totals(), HasAll: r.bool(), All: r.series()}
	return r.done()
}

func (w *recordWriter) pair(p *history.SavedPair) {
	w.uint(p.ID)
	w.uint(p.Program)
	w.uint(uint64(p.Destination.Protocol))
	w.address(p.Destination.Remote)
	w.socket(&p.Socket)
	w.process(p.Latest)
	w.uint(uint64(p.Processes))
	w.totals(&p.Totals)
	w.uint(uint64(math.Float32bits(p.Evidence)))
	w.series(&p.Series)
}

func (r *recordReader) pair(p *history.SavedPair) error {
	*p = history.SavedPair{ID: r.uint(), Program: r.uint(),
		Destination: send.Destination{Protocol: send.Protocol(r.uint()), Remote: r.address()}, Socket: r.socket(), Latest: r.process(),
		Processes: int(r.uint()), Totals: r.totals(), Evidence: math.Float32frombits(uint32(r.uint())), Series: r.series()}
	return r.done()
}

func (w *recordWriter) flow(f *history.SavedFlow) {
	w.uint(f.Pair)
	w.process(f.Process)
	w.socket(&f.Socket)
	w.totals(&f.Totals)
	w.int(int64(f.Last))
	w.int(int64(f.Began))
	w.uint(f.Size)
	w.uint(uint64(f.Bursts))
	w.numbers(f.Gaps)
	w.numbers(f.Sizes)
}

func (r *recordReader) flow(f *history.SavedFlow) error {
	*f = history.SavedFlow{Pair: r.uint(), Process: r.process(), Socket: r.socket(), Totals: r.totals(), Last: r.time(), Began: r.time(),
		Size: r.uint(), Bursts: int(r.uint()), Gaps: r.numbers(), Sizes: r.numbers()}
	return r.done()
}

func (w *recordWriter) series(s *history.SavedSeries) {
	w.bytes(s.Packed)
	w.bool(s.IsOpen)
	w.int(int64(s.Open.At))
	w.int(int64(s.Open.Last))
	w.int(int64(s.Open.Within))
	w.uint(s.Open.Bytes)
	w.uint(uint64(s.Open.Sends))
	w.uint(uint64(s.Open.Quality))
	w.bool(s.Open.Failed)
	w.uint(s.Begun)
	w.int(int64(s.Silence))
	w.uint(uint64(s.Dropped))
}

func (r *recordReader) series() history.SavedSeries {
	return history.SavedSeries{Packed: r.bytes(), IsOpen: r.bool(),
		Open: history.Burst{At: r.time(), Last: r.time(), Within: r.duration(), Bytes: r.uint(), Sends: uint32(r.uint()),
			Quality: r.quality(), Failed: r.bool()},
		Begun: r.uint(), Silence: r.duration(), Dropped: uint32(r.uint())}
}

func (w *recordWriter) totals(t *history.Totals) {
	w.int(int64(t.First))
	w.int(int64(t.Last))
	for _, v := range []uint64{t.Connections, t.Failed, t.Sends, t.Bytes, t.Received, uint64(t.Quality)} {
		w.uint(v)
	}
}

func (r *recordReader) totals() history.Totals {
	return history.Totals{First: r.time(), Last: r.time(), Connections: r.uint(), Failed: r.uint(), Sends: r.uint(), Bytes: r.uint(),
		Received: r.uint(), Quality: r.quality()}
}

func (r *recordReader) quality() send.Quality {
	return send.Quality(min(r.uint(), uint64(send.Inferred)))
}

func (w *recordWriter) socket(s *send.Socket) {
	w.uint(s.Cookie)
	w.uint(s.Inode)
	w.uint(s.NetNS)
	w.uint(uint64(s.UID))
	w.uint(uint64(s.Protocol))
	w.address(s.Local)
	w.address(s.Remote)
}

func (r *recordReader) socket() send.Socket {
	return send.Socket{Cookie: r.uint(), Inode: r.uint(), NetNS: r.uint(), UID: uint32(r.uint()), Protocol: send.Protocol(r.uint()),
		Local: r.address(), Remote: r.address()}
}

func (w *recordWriter) process(id process.ID) {
	w.int(int64(id.PID))
	w.uint(id.StartTicks)
}

func (r *recordReader) process() process.ID {
	return process.ID{PID: int32(r.int()), StartTicks: r.uint()}
}

func (w *recordWriter) numbers(v []uint32) {
	w.uint(uint64(len(v)) * 4)
	for _, n := range v {
		w.body = binary.LittleEndian.AppendUint32(w.body, n)
	}
}

func (r *recordReader) numbers() []uint32 {
	b := r.bytes()
	v := make([]uint32, 0, len(b)/4)
	for ; len(b) >= 4; b = b[4:] {
		v = append(v, binary.LittleEndian.Uint32(b))
	}
	return v
}
