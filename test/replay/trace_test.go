// Package replay_test follows recorded traffic of our own making from the bytes of a file to golden rows: the records that
// internal/replay gives, whatever the format, and the candidates that come of them.
package replay_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
)

// conn is one row of a conn.log.
type conn struct {
	start, duration      float64 // seconds since began
	orig, resp           string
	origPort, respPort   int
	proto, state         string
	history, service     string
	sent, received       int
	localOrig, localResp bool
}

// began is when the trace begins, in seconds since the epoch.
const began = 1_700_000_000

// ended is when the row is written.
func (c conn) ended() float64 { return c.start + c.duration }

// uid is made of what tells the connection from others, as far as nobody reads it.
func (c conn) uid() string { return fmt.Sprintf("C%07d%05d", int(c.start*1000), c.origPort) }

// network draws the traffic of one office for two hours, in the order in which Zeek writes it. Whoever is in it:
//
//	10.0.0.10  an implant, every 60 s ± 10 %, 151 bytes over TLS, and its user's browsing
//	10.0.0.11  another implant, same server, every 5 min
//	10.0.0.12  a resolver check every 30 s over UDP, and mDNS
//	10.0.0.13  an implant whose server is dead: refused every 45 s, now and then no answer at all
//	10.0.0.14  browsing, pings, and a shell open for an hour and a half
//	fd00::15   an implant over IPv6, every 2 min
//	203.0.113.9  a scanner from outside
func network() []conn {
	random := rand.New(rand.NewPCG(2024, 1))
	var rows []conn
	beat := func(every, jitter float64, c conn) {
		for at := random.Float64() * every; at < 7200; at += every * (1 + jitter*(2*random.Float64()-1)) {
			c.start, c.duration, c.origPort = at, 0.05+0.2*random.Float64(), 32768+random.IntN(28000)
			rows = append(rows, c)
		}
	}
	tls := conn{proto: "tcp", state: "SF", history: "ShADadFf", service: "ssl", respPort: 443, localOrig: true}
	to := func(c conn, orig, resp string, sent, received int) conn {
		c.orig, c.resp, c.sent, c.received = orig, resp, sent, received
		return c
	}
	beat(60, 0.1, to(tls, "10.0.0.10", "198.51.100.7", 151, 923))
	beat(300, 0.05, to(tls, "10.0.0.11", "198.51.100.7", 163, 911))
	beat(120, 0.2, to(tls, "fd00::15", "2001:db8::7", 208, 640))
	check := conn{proto: "udp", state: "SF", history: "Dd", service: "dns", respPort: 53, localOrig: true}
	beat(30, 0, to(check, "10.0.0.12", "192.0.2.53", 37, 53))
	mdns := conn{proto: "udp", state: "S0", history: "D", service: "dns", respPort: 5353, localOrig: true}
	beat(20, 0, to(mdns, "10.0.0.12", "224.0.0.251", 90, 0))
	refused := conn{proto: "tcp", state: "REJ", history: "Sr", respPort: 8443, localOrig: true}
	beat(45, 0.1, to(refused, "10.0.0.13", "198.51.100.99", 0, 0))
	silent := conn{proto: "tcp", state: "S0", history: "S", respPort: 8443, localOrig: true}
	beat(900, 0.5, to(silent, "10.0.0.13", "198.51.100.99", 0, 0))
	ping := conn{proto: "icmp", state: "OTH", origPort: 8, localOrig: true}
	beat(600, 0.9, to(ping, "10.0.0.14", "192.0.2.1", 56, 56))
	scan := conn{proto: "tcp", state: "REJ", history: "Sr", respPort: 22, localResp: true}
	beat(97, 0.3, to(scan, "203.0.113.9", "10.0.0.10", 0, 0))
	for _, host := range []string{"10.0.0.10", "10.0.0.14"} {
		for at := 0.0; at < 7200; at += 240 * random.ExpFloat64() {
			for n := 1 + random.IntN(5); n > 0; n-- { // a page and what is on it
				page := to(tls, host, fmt.Sprintf("192.0.2.%d", 100+random.IntN(8)), 300+random.IntN(3000), random.IntN(200000))
				page.start, page.duration = at+random.Float64(), 120*random.Float64()
				page.origPort = 32768 + random.IntN(28000)
				rows = append(rows, page)
			}
		}
	}
	rows = append(rows, conn{start: 600, duration: 5400, orig: "10.0.0.14", origPort: 50022, resp: "192.0.2.22", respPort: 22,
		proto: "tcp", state: "SF", history: "ShADadFf", service: "ssh", sent: 48211, received: 190332, localOrig: true})
	slices.SortStableFunc(rows, func(a, b conn) int { return cmp.Compare(a.ended(), b.ended()) })
	return rows
}
