package beacon

// Scorer scores flows one after the other. It owns scratch memory that it reuses, so it allocates nothing once warm and is
// not safe for concurrent use; scorers are cheap, take one per goroutine.
type Scorer struct {
	config   Config
	widths   *widths
	normal   *normalTable
	order    []int
	readings [6]reading
	sizes    []float64
	room     []float64
	marks    []bool
	peaks    []int32
}

// NewScorer returns a scorer, or one sentence on what is wrong with the configuration.
func NewScorer(c Config) (*Scorer, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Scorer{config: c, widths: newWidths(), normal: newNormalTable()}, nil
}

// Score judges f. Times may be unsorted and repeated: they are put in order, sends at one instant are one send with the
// bytes of all, and only the newest 513 entries are read. f is not modified and not kept.
func (s *Scorer) Score(f Series) Result {
	raw, uncertainty, failed := s.load(f)
	res := Result{FailedShare: failed, Beats: len(raw.start)}
	if failed > 0 {
		res.Codes |= FailedConnections
	}
	if len(raw.start) < 3 {
		res.Insufficient = true
		res.Codes |= InsufficientBeats
		return res
	}
	raw.measure()
	s.rank(raw)
	raw.markLadders()
	if u := grid(raw.gaps); u > uncertainty {
		uncertainty = u
		res.Codes |= CoarseClock
	}
	found, whole := s.rhythm(raw, uncertainty)
	size := s.densestSize(whole.reading.bytes, s.config.PayloadLengthVariance)
	if found.kind != SizeGroup || whole.kind == 0 && whole.evidenceWith(size) >= found.evidenceWith(size) {
		found = whole // one band of all check-ins, with their sizes, says more than a band of the sends of one size
	} else if whole.reading != raw {
		size = s.densestSize(raw.bytes, s.config.PayloadLengthVariance)
	}
	s.verdict(&res, f, found, size, uncertainty)
	return res
}
