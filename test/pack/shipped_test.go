// Package pack runs the shipped queries as osqueryd would: over the extension protocol, against a sensor's tables filled with
// traffic whose nature is known. It tests no package by itself.
package pack

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/pack"
	"github.com/beaconwatch/beaconwatch/packs"
	"github.com/beaconwatch/beaconwatch/test/scene"
)

// shipped are the queries by name.
func shipped(t testing.TB) map[string]pack.Query {
	t.Helper()
	queries, err := packs.Queries()
	require.NoError(t, err)
	byName := map[string]pack.Query{}
	for _, q := range queries {
		byName[q.Name] = q
	}
	return byName
}

// run asks a shipped query.
func run(t testing.TB, o *scene.Osqueryd, name string) []map[string]string {
	t.Helper()
	q, ok := shipped(t)[name]
	require.True(t, ok, name)
	return scene.Ask(t, o, q.SQL)
}
