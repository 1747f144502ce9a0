package inventory_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/inventory"
	shipped "github.com/beaconwatch/beaconwatch/packs/inventory"
)

func TestShippedRulesAreValid(t *testing.T) {
	_, err := inventory.Load(inventory.Files{Shipped: shipped.Files, Roles: []string{"base server", "web server", "database server", "kubernetes node", "ci runner", "bastion", "developer workstation"}})
	if err != nil {
		for _, f := range err.(inventory.Invalid) {
			t.Log(f)
		}
	}
	require.NoError(t, err)
}
