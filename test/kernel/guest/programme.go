package main

import "time"

// part is one trial to hold: how many processes, where, and what each does. The port tells its rows from the others'.
type part struct {
	name      string
	port      uint16
	contained bool // in the other network namespace
	processes int  // each begins with a send one byte longer than the one before it
	sending
}

// programme is every trial, in order. What is sent at once is many times smaller than a socket's buffer.
func programme() []part {
	return []part{
		{name: "one connection", port: 8444, processes: 1,
			sending: sending{network: "tcp", sends: 30, bytes: 1000, every: 100 * time.Millisecond, lingers: true}},
		{name: "datagrams", port: 8445, processes: 10, sending: sending{network: "udp", sends: 100, bytes: 100}},
		{name: "SCTP", port: 8446, processes: 5, sending: sending{network: "sctp", sends: 10, bytes: 100}},
		{name: "vsock", port: 8447, processes: 5, sending: sending{network: "vsock", sends: 10, bytes: 100}},
		{name: "one-shots", port: 8441, processes: 150, sending: sending{network: "tcp", sends: 1, bytes: 100}},
		{name: "one-shots in another namespace", port: 8442, processes: 150, contained: true, sending: sending{network: "tcp", sends: 1, bytes: 100}},
		{name: "one-shots closed by RST", port: 8443, processes: 50, sending: sending{network: "tcp", sends: 1, bytes: 100, reset: true}},
	}
}
