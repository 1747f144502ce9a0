package simulate

import "strconv"

// Exact returns flow i of the family in which nothing goes wrong but jitter: n single sends (n at least 2), gaps uniform
// in T (1 ± jitter) with jitter in [0, 1), none missed, sizes as implants have them. It answers how few check-ins a
// scorer needs. Exact flows belong to no class of Classes.
func Exact(seed uint64, n int, jitter float64, i int) Flow {
	name := "exact-" + strconv.Itoa(n) + "-" + strconv.FormatFloat(jitter, 'g', 3, 64)
	s := newScript(seed, name, i)
	p := s.check()
	s.repeat(0, max(n, 2), payload{size: p.size, vary: p.vary}, s.band(s.period(), jitter))
	f := s.finish()
	f.ID, f.Class, f.Use = name+"-"+strconv.Itoa(i), name, HeldOut
	return f
}

// Poisson returns flow i of the steady random sender of constant size: n sends (at least 1), exponential gaps.
func Poisson(seed uint64, n, i int) Flow {
	name := "poisson-" + strconv.Itoa(n)
	s := newScript(seed, name, i)
	mean, size := s.spread(0.5, 3600), int(s.spread(40, 4000))
	at := 0.0
	for range max(n, 1) {
		s.send(at, size)
		at += s.exponential(mean)
	}
	f := s.finish()
	f.ID, f.Class, f.Kind = name+"-"+strconv.Itoa(i), name, Aperiodic
	return f
}

// Head returns the first n sends of the flow and the window that ends with them, or the flow itself if it has no more.
// The slices are shared with the flow.
func (f Flow) Head(n int) Flow {
	if n <= 0 || n >= len(f.At) {
		return f
	}
	f.At, f.Bytes = f.At[:n:n], f.Bytes[:n:n]
	if f.Peer != nil {
		f.Peer = f.Peer[:n:n]
	}
	f.Window = f.At[n-1] + f.Resolution
	return f
}
