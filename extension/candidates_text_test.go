package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// listed is what a listing says of rows.
func listed(t *testing.T, l listing, rows ...map[string]string) string {
	t.Helper()
	var out strings.Builder
	require.NoError(t, l.write(&out, rows, map[string]string{"level": "L3", "unattributed_sends": "1"}))
	return out.String()
}

// TestListingIsFitToActOn: who, whether it is expected, and why; what one would copy is whole.
func TestListingIsFitToActOn(t *testing.T) {
	row := map[string]string{"score": "0.998", "severity": "high", "path": "/usr/bin/python3.11", "script": "/tmp/a-rather-long-name-of-a-directory/beacon.py",
		"pid": "4711", "username": "root", "remote_address": "2001:db8:1234:5678:9abc:def0:1234:5678", "remote_port": "8443", "remote_hostname": "cdn.example",
		"reason_codes": "regular_timing", "interval_ms": "60000", "jitter": "0.2", "beats": "17", "expected": "0", "insufficient": "0",
		"reason": "100 % of 16 gaps within ±19 % of 60 s, " + strings.Repeat("it runs from a directory that anybody may write to; ", 8) + "the end"}
	text := listed(t, listing{rows: 5, who: true}, row)
	for _, want := range []string{"grade", "high", "/usr/bin/python3.11 /tmp/a-rather-long-name-of-a-directory/beacon.py, pid 4711, user root, to cdn.example, not expected",
		"python3.11 beacon.py", "[2001:db8:1234:5678:9abc:def0:1234:5678]:8443", "the end", "60 s", "±20 %", "(level L3; 1 send of processes that could not be found)"} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "…", "nothing is cut")
	require.NotContains(t, text, "brackets")

	row["expected"], row["rule"], row["rule_source"], row["insufficient"] = "1", "agent", "operator", "1"
	text = listed(t, listing{rows: 1, lines: 2, who: true}, row, row, row)
	require.Contains(t, text, "expected by operator rule agent")
	require.Contains(t, text, "(1.00)")
	require.Contains(t, text, "and 2 more\n        a score in brackets has too few beats")
	for line := range strings.Lines(text) {
		require.NotRegexp(t, `[^ ]…`, line, "no word is cut")
	}

	row["path"] = "/tmp/\x1b[2Jimplant"
	require.NotContains(t, listed(t, listing{rows: 1, who: true}, row), "\x1b")
}

func TestListingOfNothingSaysWhenThereIsSomething(t *testing.T) {
	text := listed(t, listing{rows: 5})
	require.Contains(t, text, "listed from three check-ins on and conclusive from six")
}
