package coverage

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func placed(t *testing.T) []Shape {
	t.Helper()
	shapes := Shapes(true, time.Minute)
	require.NoError(t, Place(shapes, []netip.Addr{netip.MustParseAddr("198.51.100.10"), netip.MustParseAddr("198.51.100.11")}, 0))
	return shapes
}

func TestEveryShapeHasAPlaceOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range placed(t) {
		require.Len(t, s.Addresses, s.Ports, s.Name)
		for _, a := range s.Addresses {
			require.False(t, seen[a], "%s twice", a)
			seen[a] = true
		}
		require.NotEmpty(t, s.What)
		require.Positive(t, s.Sender.Count, "bounded in number")
		require.Positive(t, s.Sender.For, "bounded in time")
	}
	require.Len(t, seen, Ports())
	require.Error(t, Place(Shapes(true, time.Minute), nil, 0))
	require.ErrorContains(t, Place(Shapes(true, time.Minute), []netip.Addr{netip.IPv4Unspecified()}, 65530), "no room")
}

func found(s Shape, change ...string) Row {
	to := netip.MustParseAddrPort(s.Addresses[0])
	r := Row{"scope": s.Scope, "remote_address": to.Addr().String(), "remote_port": strings.Split(s.Addresses[0], ":")[1], "path": "/tmp/" + s.Name, "beats": "9",
		"score": "0.9", "evidence": "12", "insufficient": "0", "severity": "high", "coverage_run": "r1", "reason": "94 % of 12 gaps"}
	for i := 0; i < len(change); i += 2 {
		r[change[i]] = change[i+1]
	}
	return r
}

func TestVerdicts(t *testing.T) {
	shapes := placed(t)
	paths := map[string]string{}
	for _, s := range shapes {
		paths[s.Name] = "/tmp/" + s.Name
	}
	w := NewWatch(shapes, paths)
	w.Level = "L0"
	w.Skip("python-loop", "python3 is not installed")
	w.Look([]Row{
		found(shapes[0], "path", "", "severity", "low"),
		found(shapes[2], "score", "0.3"),
		found(shapes[3], "insufficient", "1", "beats", "4"),
		found(shapes[6], "path", "/tmp/another"),
	}, map[string]int{"timer-curl": 9}, "r1")
	w.Look([]Row{found(shapes[3], "beats", "11", "coverage_run", ""), found(shapes[0], "score", "0.1")}, map[string]int{"timer-curl": 12}, "r1")
	by := map[string]Verdict{}
	for _, v := range w.Verdicts() {
		by[v.Shape] = v
	}
	curl := by["timer-curl"]
	require.True(t, curl.Found && !curl.Attributed && curl.Marked && curl.OK(), "once found it stays found")
	require.Equal(t, 9, curl.AfterBeats)
	require.Equal(t, 12, curl.Sent)
	implant, chunks, dns, rotation := by["jittered-implant"], by["chunked-exfiltration"], by["udp-dns"], by["rotating-destinations"]
	require.False(t, implant.Found || implant.OK(), "promised at L0 and missed")
	require.True(t, chunks.Found && chunks.Marked, "a later process is marked a moment later")
	require.Equal(t, 11, chunks.AfterBeats)
	require.True(t, !dns.Found && dns.OK(), "a blind spot of L0")
	require.False(t, rotation.Found, "another program's rotation is not ours")
	require.False(t, w.Complete())
}

func TestGuideNamesShapesThatExist(t *testing.T) {
	names := map[string]bool{}
	for _, s := range Shapes(true, time.Minute) {
		names[s.Name] = true
		require.True(t, Promised("L3", s.Name) && Promised("L2", s.Name))
		require.False(t, Promised("none", s.Name))
	}
	text, err := os.ReadFile("../../packs/blind-spots.md")
	require.NoError(t, err)
	for name := range names {
		require.Contains(t, string(text), "`"+name+"`", "the guide speaks of it")
	}
	for level, missing := range guide {
		for _, m := range missing {
			require.True(t, names[m], "%s %s", level, m)
		}
	}
}

func TestEvidenceCanBeChecked(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	key := filepath.Join(t.TempDir(), "key.pem")
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	dir := filepath.Join(t.TempDir(), "evidence")
	e := Evidence{Run: "r1", Host: "web-1", Started: time.Unix(1, 0), Finished: time.Unix(60, 0), Controls: Controls(), Status: map[string]string{"level": "L2"},
		Verdicts: []Verdict{{Shape: "a", Found: true, Promised: true}, {Shape: "b", Promised: true, Level: "L2"}, {Shape: "c"}, {Shape: "d", Skipped: "no curl"}}}
	require.NoError(t, WriteEvidence(dir, key, e))

	manifest, err := os.ReadFile(filepath.Join(dir, manifestFile))
	require.NoError(t, err)
	for line := range strings.Lines(string(manifest)) {
		digest, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		sum := sha256.Sum256(text)
		require.Equal(t, digest, hex.EncodeToString(sum[:]))
	}
	signature, err := os.ReadFile(filepath.Join(dir, signatureFile))
	require.NoError(t, err)
	require.True(t, ed25519.Verify(public, manifest, signature))
	var back Evidence
	text, err := os.ReadFile(filepath.Join(dir, evidenceFile))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, e.Verdicts, back.Verdicts)

	require.ErrorContains(t, WriteEvidence(dir, "", e), "exists", "evidence is never overwritten")
	require.NoError(t, os.WriteFile(key, []byte("no key"), 0o600))
	other := filepath.Join(t.TempDir(), "evidence")
	require.ErrorContains(t, WriteEvidence(other, key, e), "no PEM block")
	require.NoDirExists(t, other, "nothing half-written")
}

func TestJUnit(t *testing.T) {
	text, err := JUnit([]Verdict{{Shape: "a", Found: true, Promised: true}, {Shape: "b", Promised: true, Level: "L2"}, {Shape: "c", Level: "L0"}, {Shape: "d", Skipped: "no curl"}}, time.Minute)
	require.NoError(t, err)
	var suite struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Skipped  int `xml:"skipped,attr"`
	}
	require.NoError(t, xml.Unmarshal(text, &suite))
	require.Equal(t, 4, suite.Tests)
	require.Equal(t, 1, suite.Failures)
	require.Equal(t, 2, suite.Skipped)
}

// TestPlayIsBounded plays the shapes that need no other program on loopback, and finds that nothing outlives the play.
func TestPlayIsBounded(t *testing.T) {
	shapes := placed(t)
	require.NoError(t, Place(shapes, []netip.Addr{netip.MustParseAddr("127.0.0.1")}, 0))
	var events bytes.Buffer
	plan := Plan{Shapes: []Shape{shapes[0]}, Sinks: true, Watch: 3 * time.Second, Paths: map[string]string{"timer-curl": "/bin/false"}}
	require.ErrorContains(t, Play(context.Background(), plan, &events), "timer-curl", "a sender that fails is an error, not a quiet run")
	plan.Paths = map[string]string{"timer-curl": "/bin/true"}
	events.Reset()
	begun := time.Now()
	require.NoError(t, Play(context.Background(), plan, &events))
	require.Less(t, time.Since(begun), 20*time.Second)
	var started int
	for line := range strings.Lines(events.String()) {
		var e Event
		require.NoError(t, json.Unmarshal([]byte(line), &e))
		if e.Process.PID != 0 {
			started++
			require.NotZero(t, e.Process.StartTicks, "by PID and start")
		}
	}
	require.GreaterOrEqual(t, started, 1)
}
