package inventory

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// readme is the documentation for operators, which this package is held to.
func readme(t *testing.T) string {
	text, err := os.ReadFile("../../packs/inventory/README.md")
	require.NoError(t, err)
	return string(text)
}

func TestTheExampleIsValid(t *testing.T) {
	_, rest, ok := strings.Cut(readme(t), "```yaml\n")
	require.True(t, ok)
	example, _, _ := strings.Cut(rest, "```")
	file, findings := decode("README.md", Operator, []byte(example))
	require.Empty(t, findings)
	require.Len(t, file.rules, 1)
}

func TestEveryKeyIsDocumented(t *testing.T) {
	text := readme(t)
	for _, key := range dimensionKeys {
		require.Contains(t, text, "\n| `"+key+"` | ")
	}
	for _, code := range disqualifying {
		require.Contains(t, text, "`"+string(code)+"`")
	}
}

func TestTheSeverityTableIsTheDocumentedOne(t *testing.T) {
	text := readme(t)
	for row, name := range map[rhythm]string{noRhythm: "none: the score is below the threshold",
		tentative: "tentative: above it, but too few beats to conclude anything", regular: "regular", uniform: "regular, and sizes are uniform"} {
		line := "| " + name
		for _, weight := range []int{someWeight - 1, someWeight, muchWeight, heavyWeight} {
			line += " | " + grade(false, row, weight, 1).String()
		}
		require.Contains(t, text, "\n"+line+" |\n")
	}
	require.Equal(t, Low, grade(false, noRhythm, graveWeight, graveWeight))
}

func TestTheVocabularyIsTheDocumentedOne(t *testing.T) {
	text := readme(t)
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (?:[0-9] \\| )?").FindAllStringSubmatch(text[strings.Index(text, "## Reason codes"):], -1) {
		require.False(t, documented[m[1]], "%s twice", m[1])
		documented[m[1]] = true
	}
	for _, w := range Vocabulary() {
		line := fmt.Sprintf("\n| `%s` | ", w.Code)
		if w.Weight > 0 {
			line += fmt.Sprintf("%d | ", w.Weight)
		}
		require.Contains(t, text, line)
		require.NotEmpty(t, w.Meaning)
		delete(documented, string(w.Code))
	}
	// what is left is beacon's: packs/inventory holds those to it
	require.Len(t, documented, 14)
}
