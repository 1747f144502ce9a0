package kernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/beaconwatch/beaconwatch/test/kernel/figures"
)

// emulator is the program that emulates a machine.
const emulator = "qemu-system-x86_64"

// machine is a virtual one: two processors in software (no KVM), 1 GiB, no network, no disk.
type machine struct {
	dir   string        // for its files
	limit time.Duration // after which it is switched off
}

// loads are the modules the guest loads, by the directory where it looks for them: what the test's own network is made
// of, and what the kernel would load by itself when a program asks for it, were there a modprobe(8).
var loads = []struct {
	dir    string
	wanted []string
}{
	{"network", []string{"veth"}},
	{"senders", []string{"crc32c_generic", "sctp", "vsock_loopback"}}, // the first is one that SCTP asks for at run time
	{"sock_diag", []string{"inet_diag", "tcp_diag", "udp_diag", "raw_diag"}},
}

// boot runs the kernel with an initramfs of the guest and the sensor's binary until it powers off, and returns its report.
func (m machine) boot(ctx context.Context, img image, guest, sensor []byte) (figures.Report, error) {
	var initramfs bytes.Buffer
	if err := writeInitramfs(&initramfs, img.modules, guest, sensor); err != nil {
		return figures.Report{}, err
	}
	for name, content := range map[string][]byte{"vmlinuz": img.vmlinuz, "initramfs": initramfs.Bytes()} {
		if err := os.WriteFile(m.file(name), content, 0o644); err != nil {
			return figures.Report{}, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, m.limit)
	defer cancel()
	// nice: the emulation takes all it can get. One thread for both processors: with one for each, a processor can run
	// into code that the other is patching (static keys, and what attaching eBPF does), and the kernel panics
	cmd := exec.CommandContext(ctx, "nice", "-n", "10", emulator, "-machine", "q35", "-accel", "tcg,thread=single", "-cpu", "max",
		"-smp", "2", "-m", "1024", "-nic", "none", "-display", "none", "-no-reboot",
		"-serial", "file:"+m.file("console"), "-serial", "file:"+m.file("report"),
		"-kernel", m.file("vmlinuz"), "-initrd", m.file("initramfs"),
		"-append", "console=ttyS0 loglevel=4 panic=-1")
	_, err := output(cmd)
	if ctx.Err() != nil {
		err = fmt.Errorf("still running after %s", m.limit)
	}
	report, unread := m.report()
	return report, errors.Join(err, unread)
}

// console is the end of what the kernel and the guest have printed.
func (m machine) console() []byte {
	text, err := os.ReadFile(m.file("console"))
	if err != nil {
		return []byte(err.Error())
	}
	return text[max(0, len(text)-4000):]
}

func (m machine) report() (figures.Report, error) {
	line, err := os.Open(m.file("report"))
	if err != nil {
		return figures.Report{}, err
	}
	defer line.Close()
	return figures.Read(line)
}

func (m machine) file(name string) string { return filepath.Join(m.dir, name) }

// writeInitramfs packs what the guest needs. The names of the modules tell their order.
func writeInitramfs(to *bytes.Buffer, available modules, guest, sensor []byte) error {
	c := newCPIO(to)
	c.file("init", 0o755, guest)
	c.file("beaconwatch.ext", 0o755, sensor)
	for _, l := range loads {
		found, err := available.order(l.wanted...)
		if err != nil {
			return err
		}
		for i, mod := range found {
			c.file(fmt.Sprintf("modules/%s/%02d-%s.ko", l.dir, i, mod.name), 0o644, mod.content)
		}
	}
	return c.close()
}
