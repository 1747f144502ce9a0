package inventory

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/beacon"
	"github.com/beaconwatch/beaconwatch/internal/inventory"
)

var allRoles = []string{"base server", "web server", "database server", "kubernetes node", "ci runner", "bastion", "developer workstation"}

func TestShippedRulesAreValid(t *testing.T) {
	set, err := inventory.Load(inventory.Files{Shipped: Files, Roles: allRoles})
	require.NoError(t, err, "for a host with every role")
	documentation := regexp.MustCompile(`^(https://\S+|[A-Za-z0-9._-]+\([0-9a-z]+\)(, .+)?|.+ of the package \S+)$`)
	for _, r := range set.Rules() {
		require.NotEmpty(t, r.Comment, r.Name)
		for _, reference := range r.References {
			require.Regexp(t, documentation, reference, r.Name)
		}
		require.Zero(t, r.Expires, r.Name)
	}
}

func TestEachRoleAddsRules(t *testing.T) {
	count := func(roles ...string) int {
		set, err := inventory.Load(inventory.Files{Shipped: Files, Roles: roles})
		require.NoError(t, err)
		return len(set.Rules())
	}
	for _, role := range allRoles {
		require.Greater(t, count(role), count(), role)
	}
	require.Greater(t, count("web server"), count("base server"), "a web server is a server")
	_, err := inventory.Load(inventory.Files{Shipped: Files, Roles: []string{"web servre"}})
	require.ErrorContains(t, err, `did you mean "web server"?`)
}

func TestTheReasonCodesOfScoringAreDocumented(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	codes := beacon.Result{Codes: ^beacon.Codes(0)}.ReasonCodes()
	require.Len(t, codes, 14, "internal/inventory counts on this number")
	for _, code := range codes {
		require.Contains(t, string(text), "\n| `"+code+"` | ")
	}
}
