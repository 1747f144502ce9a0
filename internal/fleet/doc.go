// Package fleet turns the result logs of many osquery hosts into answers: it decodes the lines that osqueryd, Fleet and the
// shippers between write, stores their rows once each in SQLite, and runs rollups, which are SQL files.
//
// The same rollups run unchanged on PostgreSQL and ClickHouse over the tables of Schema, which decode the same lines into
// the same rows there. What a row is, by its columns, its kind and its identity, is written in this package once.
//
// It does not ship logs, follow files, judge rows or know the names of queries.
package fleet
