// Package packs holds the shipped queries and knows every file that is generated from them. Which queries there are is said in
// queries/*.sql alone; `make packs` writes the rest, and a test holds the written files against the queries.
package packs

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/beaconwatch/beaconwatch/internal/pack"
	"github.com/beaconwatch/beaconwatch/internal/sqlhost"
	"github.com/beaconwatch/beaconwatch/internal/sqlhost/standin"
	"github.com/beaconwatch/beaconwatch/internal/table"
)

//go:embed queries/*.sql
var files embed.FS

// Queries returns the shipped queries, sorted by pack and name.
func Queries() ([]pack.Query, error) {
	dir, err := fs.Sub(files, "queries")
	if err != nil {
		return nil, err
	}
	return pack.Load(dir)
}

// NewHost returns a host with the sensor's tables over deps, and with stand-ins for osquery's own tables that queries join,
// which hold the rows given by name of the table. Close it.
func NewHost(deps table.Deps, rows map[string]standin.Rows) (*sqlhost.Host, error) {
	host, err := sqlhost.New(sqlhost.Config{Name: "osqueryd", Version: "5.23.0"})
	if err != nil {
		return nil, err
	}
	if err = register(host, table.All(deps)); err == nil {
		err = register(host, standin.Tables(rows))
	}
	if err != nil {
		host.Close()
		return nil, err
	}
	return host, nil
}

func register[T sqlhost.Table](host *sqlhost.Host, tables []T) error {
	for _, t := range tables {
		if err := host.RegisterTable(t); err != nil {
			return err
		}
	}
	return nil
}

// Prepare compiles statements on a host.
func Prepare(host *sqlhost.Host) pack.Prepare {
	return func(sql string) ([]string, error) {
		names, _, err := host.Columns(context.Background(), sql)
		if err != nil {
			return nil, fmt.Errorf("does not compile: %w", err)
		}
		return names, nil
	}
}
