package server

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// Addresses: the server and its neighbour on one network, and a public address (TEST-NET-2) that the neighbour routes to.
const (
	serverAddress    = "10.9.0.1"
	neighbourAddress = "10.9.0.2"
	publicAddress    = "198.51.100.7"
)

// Ports of what listens outside.
const (
	httpPort = 80
	c2Port   = 443
	// of the daemons: their own
	ntpPort, syslogPort, zabbixPort, collectdPort = 123, 514, 10051, 25826
)

const ready = "ready"

// connectOutside makes the namespace that the server can reach, with everything that its programs talk to.
func connectOutside(t *testing.T) {
	t.Helper()
	cmd := exec.Command(selfPath)
	cmd.Env = append(os.Environ(), roleVariable+"=outside")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNET}
	outside := launch(t, "", cmd)
	run(t, fmt.Sprintf(`link set lo up
link add eth0 type veth peer name eth0 netns %d
addr add %s/30 dev eth0
link set eth0 up
route add default via %s
`, outside.pid(), serverAddress, neighbourAddress), "ip", "-batch", "-")
	_, err := fmt.Fprintln(outside.stdin, "the interface is there")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return strings.Contains(outside.printed(t), ready) }, 10*time.Second, 10*time.Millisecond)
}

// playOutside is everything outside of the server: web servers, sinks, a time server and a Zabbix server.
func playOutside() error {
	in := bufio.NewReader(os.Stdin)
	if _, err := in.ReadString('\n'); err != nil {
		return err
	}
	ip := exec.Command("ip", "-batch", "-")
	ip.Stdin = strings.NewReader(fmt.Sprintf("link set lo up\naddr add %s/30 dev eth0\nlink set eth0 up\naddr add %s/32 dev lo\n",
		neighbourAddress, publicAddress))
	if out, err := ip.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	failed := make(chan error, 8) // as many as there are servers, at least
	for network, address := range map[string]string{"tcp": at(publicAddress, c2Port), "udp": at(neighbourAddress, syslogPort),
		"udp4": at(neighbourAddress, collectdPort)} {
		sink, err := simulate.Listen(context.Background(), network, address)
		if err != nil {
			return err
		}
		go func() { failed <- sink.Run(context.Background()) }()
	}
	web, err := net.Listen("tcp", at(publicAddress, httpPort))
	if err != nil {
		return err
	}
	go func() { failed <- http.Serve(web, http.HandlerFunc(answer)) }()
	zabbix, err := net.Listen("tcp", at(neighbourAddress, zabbixPort))
	if err != nil {
		return err
	}
	go func() { failed <- serveZabbix(zabbix) }()
	// one that serves the time of this host, whose clock it leaves alone
	clock, err := chronyd("/run/outside-chrony.conf", "local stratum 8\nallow\nbindcmdaddress /\ncmdport 0\npidfile /run/outside-chrony.pid\n", "-u", "root")
	if err != nil {
		return err
	}
	clock.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	clock.Stderr = os.Stderr
	if err := clock.Start(); err != nil {
		return err
	}
	go func() { failed <- clock.Wait() }()
	go func() {
		_, err := in.ReadString('\n') // the test has ended
		failed <- err
	}()
	fmt.Println(ready)
	return <-failed
}

// roundTrip is how long an answer from far away takes. A client that waits for it lives long enough to be found on a busy
// machine.
const roundTrip = 200 * time.Millisecond

func answer(w http.ResponseWriter, r *http.Request) {
	<-time.After(roundTrip)
	http.NotFound(w, r)
}

func at(address string, port int) string { return net.JoinHostPort(address, strconv.Itoa(port)) }

// chronyd is a command that runs in the foreground and never sets the clock (-x).
func chronyd(file, config string, args ...string) (*exec.Cmd, error) {
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		return nil, err
	}
	return exec.Command("/usr/sbin/chronyd", append([]string{"-x", "-d", "-f", file}, args...)...), nil
}
