package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// faultable are the system calls by which a sensor reads the kernel, and which an injector may let fail.
var faultable = []int{unix.SYS_RECVFROM, unix.SYS_SENDTO, unix.SYS_SOCKET, unix.SYS_OPENAT, unix.SYS_BPF}

// injector decides, call by call, whether a system call of a process fails (seccomp_unotify(2)).
type injector struct {
	listener *os.File
	fault    atomic.Pointer[fault]
	injected atomic.Int64
}

// fault is what an injector lets fail: each nth of the calls named, with errno; limit times, 0 for any number.
type fault struct {
	calls []int
	errno syscall.Errno
	nth   int64
	limit int64
	seen  atomic.Int64
}

func (i *injector) inject(f *fault) {
	i.injected.Store(0)
	i.fault.Store(f)
}

// notification and response are struct seccomp_notif and seccomp_notif_resp of linux/seccomp.h.
type notification struct {
	id           uint64
	pid, flags   uint32
	call         int32
	architecture uint32
	ip           uint64
	args         [6]uint64
}

type response struct {
	id    uint64
	value int64
	err   int32
	flags uint32
}

// serve answers until the process is gone.
func (i *injector) serve() {
	for {
		ready := []unix.PollFd{{Fd: int32(i.listener.Fd()), Events: unix.POLLIN}}
		if _, err := unix.Poll(ready, -1); err != nil && err != unix.EINTR || ready[0].Revents&unix.POLLHUP != 0 {
			return // a receive would not notice
		}
		if ready[0].Revents&unix.POLLIN == 0 {
			continue
		}
		var n notification
		if errno := ioctl(i.listener, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)); errno == unix.EINTR || errno == unix.ENOENT {
			continue // the call was interrupted before we saw it
		} else if errno != 0 {
			return
		}
		r := response{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		if f := i.fault.Load(); f != nil && slices.Contains(f.calls, int(n.call)) && f.seen.Add(1)%f.nth == 0 &&
			(f.limit == 0 || i.injected.Load() < f.limit) {
			i.injected.Add(1)
			r.flags, r.err = 0, -int32(f.errno)
		}
		if errno := ioctl(i.listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&r)); errno != 0 && errno != unix.ENOENT && errno != unix.EINTR {
			return
		}
	}
}

func ioctl(f *os.File, request uintptr, p unsafe.Pointer) syscall.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), request, uintptr(p))
	return errno
}

// faultySensor starts a sensor under an injector that lets nothing fail yet, and waits until it watches.
func faultySensor(t *testing.T, where *namespace, first *fault, args ...string) (*sensor, *injector) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	dir := room(t)
	cmd := exec.Command(filepath.Join(workshop, "actor"), append(append([]string{beaconwatch()}, placeIn(dir)...), args...)...)
	cmd.Env = append(os.Environ(), roleVariable+"=faulty")
	cmd.ExtraFiles = []*os.File{theirs}
	s := &sensor{child: launch(t, where, cmd), dir: dir, socket: filepath.Join(dir, "sock")}

	require.NoError(t, theirs.Close())
	control := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(int(ours.Fd()), make([]byte, 1), control, 0)
	require.NoError(t, err)
	messages, err := unix.ParseSocketControlMessage(control[:n])
	require.NoError(t, err)
	if len(messages) == 0 {
		need.Skip(t, "system calls cannot be intercepted here: %s", s.errors)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	require.NoError(t, err)
	i := &injector{listener: os.NewFile(uintptr(fds[0]), "seccomp")}
	i.inject(first)
	served := make(chan struct{})
	go func() { defer close(served); i.serve() }()
	t.Cleanup(func() {
		s.stop(t) // which ends the notifications
		<-served
		i.listener.Close()
	})
	s.attach(t)
	return s, i
}

// playFaulty hands whoever started it the say over the system calls of this process, then executes what its arguments say.
func playFaulty() error {
	runtime.LockOSThread()
	program := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}} // seccomp_data.nr
	for i, call := range faultable {
		program = append(program, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(call), Jt: uint8(len(faultable) - i)})
	}
	program = append(program, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF})
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER,
		uintptr(unsafe.Pointer(&filter)))
	if errno != 0 {
		return errors.Join(fmt.Errorf("seccomp: %w", errno), unix.Sendmsg(3, []byte{0}, nil, nil, 0))
	}
	if err := unix.Sendmsg(3, []byte{0}, unix.UnixRights(int(fd)), nil, 0); err != nil {
		return err
	}
	unix.CloseOnExec(3)
	environment := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, roleVariable+"=") })
	return unix.Exec(os.Args[1], os.Args[1:], environment)
}
