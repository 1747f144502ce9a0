package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/beaconwatch/beaconwatch/test/kernel/figures"
)

const (
	// abreast is how many senders are started at a time: more than there are processors, so that some are late to run.
	abreast = 4
	// settled is how long a count must stand still before it is final: longer than a sampler that only cross-checks rests.
	settled = 12 * time.Second
)

// trial is one part of the programme on its stage.
type trial struct {
	figures.Trial
	part
	where    namespace
	receiver *receiver
	early    *figures.Trial // as it stood while the connection was still open
}

// stage opens the receiver.
func (n network) stage(p part) (*trial, error) {
	receiver, err := n.receive(p.network, p.port)
	if err != nil {
		return nil, err
	}
	t := &trial{part: p, where: n.host, receiver: receiver}
	t.Trial = figures.Trial{Name: p.name, Protocol: p.network, Resets: p.reset, Lasting: p.lingers,
		Processes: uint64(p.processes)}
	if p.contained {
		t.where, t.NetNS = n.container, n.container.inode
	}
	t.to = netip.AddrPortFrom(netip.MustParseAddr(server), p.port)
	for i := range p.processes {
		one := t.sender(i)
		t.Sent.Sends += uint64(one.sends)
		t.Sent.Bytes += one.total()
	}
	if p.network == "tcp" {
		t.Sent.Connections = uint64(p.processes)
	}
	return t, nil
}

// sender is what process number i does.
func (t *trial) sender(i int) sending {
	one := t.sending
	one.bytes += i
	return one
}

// hold runs the senders, and waits until all has arrived and the sensor's figures stand still.
func (t *trial) hold(s *sensor) error {
	defer t.receiver.socket.Close()
	var group errgroup.Group
	group.SetLimit(abreast)
	for i := range t.processes {
		group.Go(func() error { return t.run(s, t.sender(i)) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	// what does not arrive is a finding
	if err := await(func() (bool, error) { return t.arrived(), nil }); err != nil && !errors.Is(err, errOverdue) {
		return err
	}
	return t.settle(s)
}

// arrived reports whether the receiver has everything.
func (t *trial) arrived() bool {
	t.Arrived = t.receiver.count()
	return t.Arrived.Bytes == t.Sent.Bytes && t.Arrived.Connections == t.Sent.Connections
}

// run lets one sender live.
func (t *trial) run(s *sensor, one sending) error {
	cmd := exec.Command(senderBinary, one.args()...)
	cmd.Stderr = os.Stderr
	var end io.Closer
	if one.lingers {
		pipe, err := cmd.StdinPipe()
		if err != nil {
			return err
		}
		end = pipe
	}
	if err := t.where.do(cmd.Start); err != nil {
		return err
	}
	var err error
	if end != nil {
		err = errors.Join(t.readOpen(s), end.Close())
	}
	return errors.Join(err, cmd.Wait())
}

// readOpen keeps what the sensor says of a connection that is not closed yet.
func (t *trial) readOpen(s *sensor) error {
	if err := t.settle(s); err != nil {
		return err
	}
	open := t.Trial
	open.Name += ", still open"
	open.Arrived = t.receiver.count()
	t.early = &open
	t.Name += ", closed"
	return nil
}

// settle reads until all that was sent is reported, or until no more comes: what is missing then is a finding.
func (t *trial) settle(s *sensor) error {
	var last figures.Count
	changed := time.Now()
	err := await(func() (bool, error) {
		now, err := t.read(s)
		if now != last {
			last, changed = now, time.Now()
		}
		return now.Bytes >= t.Sent.Bytes || time.Since(changed) > settled, err
	})
	if errors.Is(err, errOverdue) {
		return nil
	}
	return err
}

// read takes the trial's rows as they stand now.
func (t *trial) read(s *sensor) (figures.Count, error) {
	rows, err := s.query(fmt.Sprintf(`SELECT path, sum(connections) AS connections, sum(send_count) AS sends, sum(bytes_sent) AS bytes
FROM process_outbound_stats WHERE remote_address = '%s' AND remote_port = %d GROUP BY path`, server, t.port))
	if err != nil {
		return figures.Count{}, err
	}
	t.Reported, t.Owned = figures.Count{}, figures.Count{}
	for _, row := range rows {
		var c figures.Count
		var errs [3]error
		c.Connections, errs[0] = natural(row, "connections")
		c.Sends, errs[1] = natural(row, "sends")
		c.Bytes, errs[2] = natural(row, "bytes")
		if err := errors.Join(errs[:]...); err != nil {
			return figures.Count{}, err
		}
		t.Reported = t.Reported.Plus(c)
		if row["path"] == senderBinary {
			t.Owned = c
		}
	}
	return t.Reported, nil
}
