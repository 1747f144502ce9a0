package main

import (
	"log/slog"

	"github.com/beaconwatch/beaconwatch/internal/sqlhost"
)

// newTableHost returns a host that answers SQL over the tables; nil for log discards.
func newTableHost[T sqlhost.Table](tables []T, log *slog.Logger) (*sqlhost.Host, error) {
	host, err := sqlhost.New(sqlhost.Config{Name: extensionName, Version: version, Logger: log})
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		if err := host.RegisterTable(t); err != nil {
			host.Close()
			return nil, err
		}
	}
	return host, nil
}
