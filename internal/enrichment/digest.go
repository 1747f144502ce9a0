package enrichment

import (
	"context"
	"crypto/md5"  //nolint:gosec // what package databases record
	"crypto/sha1" //nolint:gosec // as above
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"io"
	"os"
	"time"
)

// sums are the digests of one file in hex.
type sums struct {
	sha256 string
	// other is by the algorithm asked for, empty if it is not one we know.
	other string
}

// algorithms are those that package databases record files by. MD5 and SHA-1 still hold here: making another file with the
// digest of a given one (a second preimage) is out of reach for both.
var algorithms = map[string]func() hash.Hash{
	"md5": md5.New, "sha1": sha1.New, "sha224": sha256.New224, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New,
}

// piece is how much is hashed between two looks at the budget.
const piece = 256 << 10

// hash reads a file once, within the budget.
func (e *Enricher) hash(ctx context.Context, f *os.File, algorithm string) (sums, error) {
	sum := sha256.New()
	into := []io.Writer{sum}
	other := sum
	if algorithm != "sha256" {
		other = nil
		if make := algorithms[algorithm]; make != nil {
			other = make()
			into = append(into, other)
		}
	}
	to := io.MultiWriter(into...)
	for {
		began := time.Now()
		n, err := io.CopyN(to, f, piece)
		e.pause(ctx, e.inspecting, time.Since(began))
		switch {
		case ctx.Err() != nil:
			return sums{}, ctx.Err()
		case err == io.EOF || err == nil && n == 0:
			s := sums{sha256: hex.EncodeToString(sum.Sum(nil))}
			if other != nil {
				s.other = hex.EncodeToString(other.Sum(nil))
			}
			return s, nil
		case err != nil:
			return sums{}, err
		}
	}
}
