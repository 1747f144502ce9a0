package enrichment

import (
	"bufio"
	"fmt"
	"io"
	"path"
	"strings"

	rpmdb "github.com/anchore/go-rpmdb/pkg"
	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite" // one of the forms of an rpm database
)

// scriptSuffixes are those of files that interpreters run though they may not be marked executable.
var scriptSuffixes = map[string]bool{".sh": true, ".py": true, ".pl": true, ".rb": true, ".js": true, ".php": true, ".jar": true}

// DumpRPM prints what an rpm database knows of files that can be run: for each package a line of "package", name, version
// ([epoch:]version-release) and digest algorithm, then for each of its files a line of "file", digest in hex and path, with
// tabs between. It may take much memory, and a damaged database may end the process.
func DumpRPM(database string, to io.Writer) error {
	db, err := rpmdb.Open(database)
	if err != nil {
		return err
	}
	defer db.Close()
	packages, err := db.ListPackages()
	if err != nil {
		return err
	}
	out := bufio.NewWriter(to)
	for _, p := range packages {
		files, err := p.InstalledFiles()
		if err != nil {
			return err
		}
		version := p.Version + "-" + p.Release
		if p.Epoch != nil {
			version = fmt.Sprintf("%d:%s", *p.Epoch, version)
		}
		algorithm := p.DigestAlgorithm.String()
		if p.DigestAlgorithm == 0 {
			algorithm = "md5" // as rpm takes a package that does not say
		}
		printTabbed(out, "package", p.Name, version, algorithm)
		for _, f := range files {
			if f.Mode&unix.S_IFMT == unix.S_IFREG && (f.Mode&0o111 != 0 || scriptSuffixes[path.Ext(f.Path)]) {
				printTabbed(out, "file", strings.ToLower(f.Digest), f.Path)
			}
		}
	}
	return out.Flush()
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
