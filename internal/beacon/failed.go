package beacon

// retries recognises a run of failed attempts as one attempt: a program hammering a dead server, or the kernel repeating
// its SYN after 1, 2, 4, 8 … seconds (tcp_syn_retries in Documentation/networking/ip-sysctl.rst).
type retries struct {
	failed   bool
	at, step float64
}

const (
	// retryPause: the first two SYN repeats come 1 and 2 s after the one before; a little slack for the timer.
	retryPause = 3.5
	// A doubling pause continues the ladder; timers and delayed reports make it 1.6 to 2.5.
	ladderLow, ladderHigh = 1.6, 2.5
)

// continues says whether an attempt at this time, lost or not, belongs to the attempt before, and remembers it if so. A
// successful send that follows failures is a new beat.
func (t *retries) continues(lost bool, at float64) bool {
	if !lost || !t.failed {
		return false
	}
	pause := at - t.at
	doubled := t.step > 0 && pause >= ladderLow*t.step && pause <= ladderHigh*t.step
	if pause > retryPause && !doubled {
		return false
	}
	t.at, t.step = at, pause
	return true
}

// begin starts a new attempt.
func (t *retries) begin(lost bool, at float64) { *t = retries{failed: lost, at: at} }
