// Command report prints how the scorer of the product compares with the published ones on generated and on real flows.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/beaconwatch/beaconwatch/test/corpus"
)

func main() {
	var o corpus.Options
	flag.Uint64Var(&o.Seed, "seed", 1, "seed of the generated flows")
	flag.IntVar(&o.PerClass, "n", 200, "generated flows per class")
	flag.StringVar(&o.Flows, "flows", beside(), "directory of real flows (*.jsonl); empty leaves them out")
	flag.Parse()
	if err := corpus.Report(os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

// beside returns the directory of real flows beside the project, if it is there and the command runs in the project.
func beside() string {
	dir := filepath.Join("..", "shared", "data", "dev-flows")
	if _, err := os.Stat(dir); err != nil {
		return ""
	}
	return dir
}
