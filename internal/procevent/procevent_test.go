package procevent

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// asUser makes this binary only try to subscribe, and say what came of it.
const asUser = "PROCEVENT_TEST_SUBSCRIBE"

func TestMain(m *testing.M) {
	if os.Getenv(asUser) == "" {
		os.Exit(m.Run())
	}
	c, err := Open(Config{ReceiveBuffer: 64 << 10})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if err := errors.Join(exec.Command("true").Run(), c.SetDeadline(time.Now().Add(2*time.Second))); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	ready, err := c.Wait()
	fmt.Println("ready", ready, err)
}

// open subscribes for a test, which is skipped if the kernel refuses.
func open(t testing.TB, cfg Config) *Conn {
	c, err := Open(cfg)
	if err != nil {
		need.Skip(t, "process events: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// until reads events up to the exit of pid and returns those of pid.
func until(t *testing.T, c *Conn, pid int) []Event {
	require.NoError(t, c.SetDeadline(time.Now().Add(5*time.Second)))
	var found []Event
	var e Event
	for {
		ready, err := c.Wait()
		require.NoError(t, err)
		require.True(t, ready, "the exit of %d was not reported; had %v", pid, found)
		for {
			ok, err := c.Next(&e)
			require.NoError(t, err)
			if !ok {
				break
			}
			if e.PID == int32(pid) {
				found = append(found, e)
				if e.Kind == Exit {
					return found
				}
			}
		}
	}
}

func TestLifeOfAProcess(t *testing.T) {
	c := open(t, Config{})
	cmd := exec.Command("/bin/sh", "-c", "printf renamed > /proc/$$/comm; exit 3")
	var code *exec.ExitError
	require.ErrorAs(t, cmd.Run(), &code)
	events := until(t, c, cmd.Process.Pid)

	byKind := make(map[Kind]Event)
	var last time.Duration
	for _, e := range events {
		if e.Kind != Comm || e.Name() == "renamed" {
			byKind[e.Kind] = e
		}
		require.GreaterOrEqual(t, e.At, last, "in order")
		last = e.At
	}
	require.Equal(t, int32(os.Getpid()), byKind[Fork].Parent)
	require.Contains(t, byKind, Exec)
	require.Equal(t, "renamed", byKind[Comm].Name())
	require.Equal(t, 3, byKind[Exit].Status.ExitStatus())
	require.Equal(t, int32(os.Getpid()), byKind[Exit].Parent)
	require.Zero(t, c.Malformed())
}

func TestChangeOfUser(t *testing.T) {
	need.Root(t)
	c := open(t, Config{})
	cmd := exec.Command("/bin/true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	require.NoError(t, cmd.Run())
	var user uint32
	for _, e := range until(t, c, cmd.Process.Pid) {
		if e.Kind == UID {
			user = e.User
		}
	}
	require.Equal(t, uint32(65534), user)
}

func TestThreadsAreNotReported(t *testing.T) {
	c := open(t, Config{})
	done := make(chan int)
	go func() {
		runtime.LockOSThread() // ends with its goroutine
		done <- syscall.Gettid()
	}()
	thread := <-done
	cmd := exec.Command("/bin/true")
	require.NoError(t, cmd.Run())
	require.NoError(t, c.SetDeadline(time.Now().Add(5*time.Second)))
	var e Event
	for e.PID != int32(cmd.Process.Pid) || e.Kind != Exit {
		ready, err := c.Wait()
		require.NoError(t, err)
		require.True(t, ready)
		for {
			ok, err := c.Next(&e)
			require.NoError(t, err)
			if !ok || (e.PID == int32(cmd.Process.Pid) && e.Kind == Exit) {
				break
			}
			require.NotEqual(t, int32(thread), e.PID)
			require.False(t, e.Kind == Fork && e.PID == int32(os.Getpid()), "a thread is no fork of its process")
		}
	}
}

func TestOverrunIsCounted(t *testing.T) {
	c := open(t, Config{ReceiveBuffer: 1})
	for range 40 {
		require.NoError(t, exec.Command("/bin/true").Run())
	}
	var e Event
	var overruns int
	for {
		ok, err := c.Next(&e)
		if errors.Is(err, ErrOverrun) {
			overruns++
			continue
		}
		require.NoError(t, err)
		if !ok {
			break
		}
	}
	require.Positive(t, overruns)
	require.Positive(t, c.Drops())
}

func TestInterrupt(t *testing.T) {
	c := open(t, Config{})
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
	c.Interrupt()
	var e Event
	for ready := true; ready; {
		var err error
		for ok := true; ok; {
			ok, err = c.Next(&e)
			require.NoError(t, err)
		}
		ready, err = c.Wait()
		require.NoError(t, err)
	}
}

func TestReadingDoesNotAllocate(t *testing.T) {
	c := open(t, Config{})
	for range 20 {
		require.NoError(t, exec.Command("/bin/true").Run())
	}
	var e Event
	require.Zero(t, testing.AllocsPerRun(60, func() { _, _ = c.Next(&e) }))
}

// What a kernel grants to an ordinary user differs (6.6 began to); the test pins that it is one of two clear answers.
func TestUnprivileged(t *testing.T) {
	need.Root(t)
	dir, err := os.MkdirTemp("", "procevent-") // TempDir's parent is closed to others
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	require.NoError(t, os.Chmod(dir, 0o755))
	own, err := os.ReadFile("/proc/self/exe")
	require.NoError(t, err)
	binary := dir + "/subscribe"
	require.NoError(t, os.WriteFile(binary, own, 0o755))
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), asUser+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	t.Logf("as uid 65534: %s", out)
	if err != nil {
		require.Contains(t, string(out), syscall.EPERM.Error())
		return
	}
	require.Contains(t, string(out), "ready true")
}

func BenchmarkNext(b *testing.B) {
	c := open(b, Config{})
	var e Event
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		if err := exec.Command("/bin/true").Run(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		for ok := true; ok; {
			var err error
			if ok, err = c.Next(&e); err != nil {
				b.Fatal(err)
			}
		}
	}
}
