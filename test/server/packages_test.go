package server

import (
	"cmp"
	"crypto/md5"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Programs of this system that stand in for those of the packages: they wait for ever on their standard input.
const (
	waiting     = "/bin/cat"
	interpreter = "/bin/dash"
	waits       = "read forever\n"
)

// build makes a Debian package of a program and returns its file. Its user is made when it is installed, as usual.
func (p program) build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	tree, file := filepath.Join(dir, "tree"), filepath.Join(dir, p.pkg+".deb")
	var sums strings.Builder
	add := func(path string, content []byte) {
		require.NoError(t, put(filepath.Join(tree, path), content))
		fmt.Fprintf(&sums, "%x  %s\n", md5.Sum(content), strings.TrimPrefix(path, "/"))
	}
	content := func(path string) []byte {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		return b
	}
	switch _, err := os.Stat(p.path); {
	case err == nil && p.script != "": // the interpreter belongs to another package
		add(p.script, []byte("import sys\nsys.stdin.read()\n"))
	case p.script != "":
		add(p.path, content(interpreter))
		add(p.script, []byte(waits))
	default:
		add(p.path, content(waiting))
	}
	require.NoError(t, os.MkdirAll(filepath.Join(tree, "DEBIAN"), 0o755))
	control := fmt.Sprintf("Package: %s\nVersion: 9999:1\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\n"+
		"Description: a throw-away package\n", p.pkg)
	script := "#!/bin/sh\nset -e\nif ! getent passwd %[1]s >/dev/null; then useradd --system --no-create-home %[1]s; fi\n"
	for name, text := range map[string]string{"control": control, "md5sums": sums.String(),
		"postinst": fmt.Sprintf(script, cmp.Or(p.user, "root"))} {
		require.NoError(t, os.WriteFile(filepath.Join(tree, "DEBIAN", name), []byte(text), 0o755))
	}
	run(t, "", "dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", tree, file)
	return file
}
