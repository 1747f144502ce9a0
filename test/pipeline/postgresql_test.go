package pipeline

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// postgresql is a server of our own: on a Unix socket only, in a directory of its own, as a user without privilege.
type postgresql struct {
	bin, dir string
	server   *exec.Cmd
}

func newPostgreSQL(t *testing.T, now int64) engine {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	require.NoError(t, err)
	if len(found) == 0 {
		need.Skip(t, "PostgreSQL is not installed (Debian's package postgresql)")
	}
	p := &postgresql{bin: slices.Max(found), dir: room(t)}
	p.start(t)
	p.exec(t, schema(t, "postgresql"))
	p.exec(t, fmt.Sprintf("CREATE OR REPLACE VIEW beacon_settings AS SELECT %d::bigint AS now, %d::bigint AS silent_s", now, silent))
	return p
}

func (p *postgresql) name() string { return "postgresql" }

func (p *postgresql) pid() int { return p.server.Process.Pid }

// command is a command as the user postgres, or nobody where there is none, if we are root: the server refuses to be.
func (p *postgresql) command(t testing.TB, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, name), args...)
	cmd.Dir = p.dir
	if os.Geteuid() != 0 {
		return cmd
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		who, err = user.Lookup("nobody")
	}
	require.NoError(t, err)
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	require.NoError(t, err)
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	require.NoError(t, err)
	require.NoError(t, os.Chown(p.dir, int(uid), int(gid)))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return cmd
}

func (p *postgresql) start(t testing.TB) {
	data := filepath.Join(p.dir, "data")
	out, err := p.command(t, "initdb", "-D", data, "-U", "beacon", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync").CombinedOutput()
	require.NoError(t, err, "%s", out)
	p.server = p.command(t, "postgres", "-D", data, "-k", p.dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "jit=off",
		"-c", "max_wal_size=4GB", "-c", "shared_buffers=256MB", "-c", "work_mem=128MB")
	log, err := os.Create(filepath.Join(p.dir, "log"))
	require.NoError(t, err)
	defer log.Close()
	p.server.Stdout, p.server.Stderr = log, log
	require.NoError(t, p.server.Start())
	t.Cleanup(func() {
		_ = p.server.Process.Signal(syscall.SIGINT) // fast shutdown
		_ = p.server.Wait()
	})
	require.Eventually(t, func() bool { return p.psql("SELECT 1").Run() == nil }, 30*time.Second, 50*time.Millisecond, "the server starts")
}

// psql runs a script read from standard input, or the statement given.
func (p *postgresql) psql(statement string) *exec.Cmd {
	args := []string{"-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", p.dir, "-U", "beacon", "-d", "postgres", "--csv"}
	if statement != "" {
		args = append(args, "-c", statement)
	}
	return exec.Command(filepath.Join(p.bin, "psql"), args...)
}

func (p *postgresql) run(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	var out, failed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &failed
	require.NoError(t, cmd.Run(), "psql: %s", failed.String())
	return out.String()
}

func (p *postgresql) exec(t testing.TB, script string) {
	t.Helper()
	cmd := p.psql("")
	cmd.Stdin = strings.NewReader(script)
	p.run(t, cmd)
}

func (p *postgresql) query(t testing.TB, statement string) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(p.run(t, p.psql(statement)))).ReadAll()
	require.NoError(t, err)
	return append([][]string(nil), rows[1:]...) // without rows it is nil, as elsewhere
}

// load copies lines in as text: a backslash is one, and no byte is a delimiter.
func (p *postgresql) load(t testing.TB, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	cmd := p.psql(`COPY beacon_lines FROM STDIN`)
	cmd.Stdin = strings.NewReader(strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\r", `\r`).Replace(string(text)))
	p.run(t, cmd)
}

func (p *postgresql) list(t testing.TB, assets map[string]string) { p.exec(t, insert(assets)) }
