// Package inventory holds the rules that are shipped: the catalogue of programs that talk on most hosts, and one file for each
// role a host may have. It decides nothing; README.md says how rules are written and reviewed.
package inventory

import "embed"

// Files holds catalogue/*.yaml and roles/*.yaml.
//
//go:embed catalogue/*.yaml roles/*.yaml
var Files embed.FS
