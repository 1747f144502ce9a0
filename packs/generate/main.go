// Command generate writes the packs and the table reference from the queries and the tables, or with -check says which files
// are not what it would write.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/beaconwatch/beaconwatch/packs"
)

func main() {
	dir := flag.String("dir", "packs", "directory of the packs")
	check := flag.Bool("check", false, "write nothing; fail if a file is not current")
	flag.Parse()
	run := packs.Write
	if *check {
		run = packs.Check
	}
	if err := run(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "packs:", err)
		os.Exit(1)
	}
}
