package enrichment

import (
	"bufio"
	"errors"
	"io"
	"path"
	"strings"

	"github.com/anchore/go-rpmdb/pkg/bdb"
	dbi "github.com/anchore/go-rpmdb/pkg/db"
	"github.com/anchore/go-rpmdb/pkg/ndb"
	"github.com/anchore/go-rpmdb/pkg/sqlite3"
	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite" // one of the forms of an rpm database
)

// scriptSuffixes are those of files that interpreters run though they may not be marked executable.
var scriptSuffixes = map[string]bool{".sh": true, ".py": true, ".pl": true, ".rb": true, ".js": true, ".php": true, ".jar": true}

// DumpRPM prints what an rpm database knows of files that can be run: for each package a line of "package", name, version
// ([epoch:]version-release) and digest algorithm, then for each of its files a line of "file", digest in hex and path, with
// tabs between. The library reads the three forms of a database; headers are decoded here, one at a time, because it would
// hold all of them at once. A damaged database may end the process.
func DumpRPM(database string, to io.Writer) error {
	db, err := openRPM(database)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(to)
	for entry := range db.Read() {
		if entry.Err != nil {
			return entry.Err
		}
		h, err := parseRPMHeader(entry.Value)
		if err != nil {
			return err
		}
		if err := dumpPackage(out, h); err != nil {
			return err
		}
	}
	return out.Flush()
}

// openRPM opens a database of whichever form.
func openRPM(path string) (dbi.RpmDBInterface, error) {
	s, err := sqlite3.Open(path)
	if err == nil {
		return s, nil
	}
	if !errors.Is(err, sqlite3.ErrorInvalidSQLite3) {
		return nil, err
	}
	n, err := ndb.Open(path)
	if err == nil {
		return n, nil
	}
	if !errors.Is(err, ndb.ErrorInvalidNDB) {
		return nil, err
	}
	b, err := bdb.Open(path)
	if err != nil {
		return nil, err
	}
	return b, nil
}

func dumpPackage(out *bufio.Writer, h rpmHeader) error {
	printTabbed(out, "package", h.text(rpmName), h.version(), h.method())
	return h.files(func(f rpmListed) {
		if f.mode&unix.S_IFMT == unix.S_IFREG && (f.mode&0o111 != 0 || scriptSuffixes[path.Ext(f.path)]) {
			printTabbed(out, "file", strings.ToLower(f.digest), f.path)
		}
	})
}

// printTabbed prints a line unless it would not be one.
func printTabbed(out *bufio.Writer, fields ...string) {
	for _, f := range fields {
		if strings.ContainsAny(f, "\t\n") {
			return
		}
	}
	_, _ = out.WriteString(strings.Join(fields, "\t") + "\n") // the error stays until Flush
}
