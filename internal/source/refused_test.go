package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/send"
)

// refuseEnv makes this test binary a process the kernel refuses netlink sockets with that errno.
const refuseEnv = "BEACONWATCH_REFUSE_NETLINK"

func TestMain(m *testing.M) {
	if os.Getenv(refuseEnv) != "" {
		if err := underRefusal(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// underRefusal checks that sock_diag is refused and that the floor is not. It runs in a process of its own, for a seccomp
// filter stays.
func underRefusal() error {
	if err := refuseNetlink(unix.EPROTONOSUPPORT); err != nil {
		return fmt.Errorf("seccomp: %w", err)
	}
	_, tcp := NewTCP(TCPConfig{})
	_, udp := NewUDPDiag(UDPDiagConfig{})
	for _, err := range []error{tcp, udp} {
		var refusal *RefusedError
		if !errors.Is(err, ErrRefused) || !errors.As(err, &refusal) || refusal.Errno != syscall.EPROTONOSUPPORT {
			return fmt.Errorf("want a refusal, got %v", err)
		}
	}
	floor, err := NewProcNet(ProcNetConfig{Protocols: []send.Protocol{send.TCP, send.UDP, send.Raw}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		for floor.Stats().Samples == 0 {
			runtime.Gosched()
		}
		cancel()
	}()
	return floor.Run(ctx, func(send.Send) {})
}

// refuseNetlink makes socket(2) for AF_NETLINK fail with errno in all threads of the process.
func refuseNetlink(errno syscall.Errno) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	const load, jumpEqual, give = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K,
		unix.BPF_RET | unix.BPF_K
	filter := []unix.SockFilter{ // over struct seccomp_data (linux/seccomp.h): the call's number, then its first argument
		{Code: load, K: 0},
		{Code: jumpEqual, K: unix.SYS_SOCKET, Jf: 3},
		{Code: load, K: 16},
		{Code: jumpEqual, K: unix.AF_NETLINK, Jf: 1},
		{Code: give, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: give, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, failed := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&program)))
	if failed != 0 {
		return failed
	}
	return nil
}

func TestAKernelWithoutSockDiag(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), refuseEnv+"=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func TestRefusalsNameSourceAndReason(t *testing.T) {
	err := refused("tcp", fmt.Errorf("open: %w", syscall.EPERM))
	require.ErrorIs(t, err, ErrRefused)
	require.ErrorIs(t, err, syscall.EPERM)
	require.EqualError(t, err, "tcp: refused by the kernel: operation not permitted")
	other := refused("tcp", errors.New("odd"))
	require.NotErrorIs(t, other, ErrRefused)
	require.EqualError(t, other, "tcp: odd")
}
