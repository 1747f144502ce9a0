package attribution

import (
	"context"
	"errors"
	"os/user"
	"strconv"

	"github.com/shirou/gopsutil/v3/common"
	gopsutil "github.com/shirou/gopsutil/v3/process"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
)

// maxAncestors and maxUsers bound what is remembered from one description to the next.
const (
	maxAncestors = 1024
	maxUsers     = 1024
)

// enricher describes processes beyond their essentials: full name, user name, parent and grandparent. It is used by one
// goroutine, off the hot path.
type enricher struct {
	r      *Resolver
	buffer procfs.Buffer
	// ancestors are processes already described as parents, by identity and image; users the names of user IDs.
	ancestors map[ancestorKey]ancestor
	users     map[uint32]string
}

// ancestorKey is one program run by a process, see procfs.PIDStat.StartStack.
type ancestorKey struct {
	id    process.ID
	stack uint64
}

// ancestor is a parent as its children show it.
type ancestor struct {
	id            process.ID
	parent        int32
	path, cmdline string
}

func newEnricher(r *Resolver) *enricher {
	return &enricher{r: r, ancestors: make(map[ancestorKey]ancestor), users: make(map[uint32]string)}
}

// enrich completes the description of one process. What cannot be read any more stays empty.
func (e *enricher) enrich(ctx context.Context, id process.ID) {
	info, ok := e.r.Process(id)
	if !ok {
		return
	}
	ctx = context.WithValue(ctx, common.EnvKey, common.EnvMap{common.HostProcEnvKey: e.r.config.Root})
	p := &gopsutil.Process{Pid: id.PID}
	name, err := p.NameWithContext(ctx)
	if err == nil && e.is(id) {
		info.Name = process.Printable(name, process.MaxText)
	}
	info.Username = e.user(info.Program.UID)
	if info.GrandparentPath == "" {
		e.parents(ctx, &info)
	}
	e.r.mu.Lock()
	defer e.r.mu.Unlock()
	e.r.processes.describe(info)
}

// parents adds the parents that were not witnessed. One that was is not replaced: it may have handed its child to init.
func (e *enricher) parents(ctx context.Context, info *process.Info) {
	parent, ok := e.ancestor(ctx, info.Parent.PID, info.ID)
	if !ok || info.Parent.StartTicks != 0 && info.Parent != parent.id {
		return
	}
	if info.ParentPath == "" {
		info.Parent, info.ParentPath, info.ParentCmdline = parent.id, parent.path, parent.cmdline
	}
	if grandparent, ok := e.ancestor(ctx, parent.parent, parent.id); ok {
		info.GrandparentPath, info.GrandparentCmdline = grandparent.path, grandparent.cmdline
	}
}

// is reports whether the PID is still that process, so that what was just read is about it.
func (e *enricher) is(id process.ID) bool {
	stat, err := e.stat(id.PID)
	return err == nil && stat.StartTicks == id.StartTicks
}

func (e *enricher) stat(pid int32) (procfs.PIDStat, error) {
	var stat procfs.PIDStat
	p, err := e.r.fs.OpenPID(pid)
	if err != nil {
		return stat, err
	}
	defer p.Close()
	err = p.Stat(&e.buffer, &stat)
	return stat, err
}

// ancestor describes the parent of child: a process that is not younger, and the same before and after it was read.
func (e *enricher) ancestor(ctx context.Context, pid int32, child process.ID) (ancestor, bool) {
	stat, err := e.stat(pid)
	if err != nil || pid <= 0 || stat.StartTicks > child.StartTicks {
		return ancestor{}, false
	}
	key := ancestorKey{id: process.ID{PID: pid, StartTicks: stat.StartTicks}, stack: stat.StartStack}
	if a, ok := e.ancestors[key]; ok {
		return a, true
	}
	p := &gopsutil.Process{Pid: pid}
	a := ancestor{id: key.id, parent: stat.Parent}
	path, pathErr := p.ExeWithContext(ctx)
	args, argsErr := p.CmdlineSliceWithContext(ctx)
	if !e.is(key.id) || errors.Join(pathErr, argsErr) != nil {
		e.r.counters.vanished.Add(1)
		return ancestor{}, false
	}
	a.path, a.cmdline = process.Printable(path, process.MaxText), e.r.cmdline(args)
	if len(e.ancestors) >= maxAncestors {
		clear(e.ancestors)
	}
	e.ancestors[key] = a
	return a, true
}

// user returns the name of a user, "" for one that is not in the user database of this host.
func (e *enricher) user(uid uint32) string {
	name, known := e.users[uid]
	if known {
		return name
	}
	if u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10)); err == nil {
		name = process.Printable(u.Username, process.MaxText)
	}
	if len(e.users) >= maxUsers {
		clear(e.users)
	}
	e.users[uid] = name
	return name
}
