// Package fleet holds the rollups over the result logs of a fleet, one SQL file each. They run unchanged on SQLite,
// PostgreSQL and ClickHouse, over the tables of schema/.
//
// It runs nothing; internal/fleet does, and so does any client of those engines.
package fleet

import "embed"

// Rollups are the files.
//
//go:embed *.sql
var Rollups embed.FS

// Cases makes the view that the rollups on cases read.
//
//go:embed schema/cases.sql
var Cases string
