package fleet

import (
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"
)

//go:embed schema/*.tmpl
var schemas embed.FS

// engines are the engines there is a schema for, with what its header says.
func engines() map[string]string {
	return map[string]string{
		"sqlite":             "SQLite; beaconwatch.ext fleet makes them itself.",
		"postgresql":         "PostgreSQL 15 or newer; tested with 15.",
		"clickhouse":         "ClickHouse, one server; tested with 26.7.",
		"clickhouse_cluster": "ClickHouse, sharded and replicated; written for 26.7.",
	}
}

// Engines returns their names, sorted.
func Engines() []string { return slices.Sorted(maps.Keys(engines())) }

// Schema returns the SQL that makes the tables of the rollups on an engine, and decodes lines into them where the engine
// does that itself.
func Schema(engine string) (string, error) {
	about, ok := engines()[engine]
	if !ok {
		return "", fmt.Errorf("there is no schema for %q: choose %s", engine, strings.Join(Engines(), ", "))
	}
	t, err := template.ParseFS(schemas, "schema/*.tmpl")
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "-- Tables for beaconwatch's result logs and the rollups over them: %s\n", about)
	b.WriteString("-- Generated from internal/fleet/schema, where it is changed. Load cases.sql after it.\n\n")
	err = t.ExecuteTemplate(&b, engine+".sql.tmpl", struct {
		Columns      []Column
		QueryPattern string
	}{Columns(), queryPattern})
	return b.String(), err
}
