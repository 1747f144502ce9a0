package procevent

import (
	"encoding/binary"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// datagram builds what the kernel sends for kind with payload, of 32-bit words.
func datagram(kind Kind, payload ...uint32) []byte {
	b := request(0, 0)[:procEventAt]
	b = binary.NativeEndian.AppendUint32(b, uint32(kind))
	b = binary.NativeEndian.AppendUint32(b, 1) // cpu
	b = binary.NativeEndian.AppendUint64(b, uint64(5*time.Second))
	for _, word := range payload {
		b = binary.NativeEndian.AppendUint32(b, word)
	}
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint16(b[cnLengthAt:], uint16(len(b)-procEventAt))
	return b
}

func TestDecode(t *testing.T) {
	at := 5 * time.Second
	word := func(s string) uint32 { return binary.NativeEndian.Uint32([]byte(s)) }
	tests := []struct {
		name string
		in   []byte
		want Event
	}{
		{"fork", datagram(Fork, 10, 11, 12, 13), Event{Kind: Fork, At: at, Parent: 11, PID: 13}},
		{"exec", datagram(Exec, 13, 13), Event{Kind: Exec, At: at, PID: 13}},
		{"user", datagram(UID, 13, 13, 1000, 1001), Event{Kind: UID, At: at, PID: 13, User: 1001}},
		{"name", datagram(Comm, 13, 13, word("curl"), word("-tls"), 0, 0),
			Event{Kind: Comm, At: at, PID: 13, Comm: [16]byte{'c', 'u', 'r', 'l', '-', 't', 'l', 's'}}},
		{"exit", datagram(Exit, 13, 13, 3<<8, 17, 10, 11),
			Event{Kind: Exit, At: at, PID: 13, Status: syscall.WaitStatus(3 << 8), Parent: 11}},
		{"exit before 4.18", datagram(Exit, 13, 13, 9, 17), Event{Kind: Exit, At: at, PID: 13, Status: 9}},
		{"longer than known", append(datagram(Exec, 13, 13, 7, 7), 1, 2, 3), Event{Kind: Exec, At: at, PID: 13}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Event{PID: 99, Parent: 99, User: 99}
			_, _, ok := got.decode(tt.in)
			require.True(t, ok)
			require.Equal(t, tt.want, got)
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	change := func(b []byte, at int, value uint32) []byte {
		binary.NativeEndian.PutUint32(b[at:], value)
		return b
	}
	tests := map[string][]byte{
		"empty":                   nil,
		"cut":                     datagram(Fork, 1, 2, 3, 4)[:60],
		"too little payload":      datagram(Fork, 1, 2, 3),
		"longer than it is":       change(datagram(Exec, 1, 1), 0, 500),
		"shorter than its header": change(datagram(Exec, 1, 1), 0, 20),
		"another connector":       change(datagram(Exec, 1, 1), cnMsgAt, 2),
		"unknown kind":            datagram(0x40, 1, 1, 1, 1, 1, 1),
		"connector length lies":   change(datagram(Exec, 1, 1), cnLengthAt, 4000),
	}
	for name, in := range tests {
		t.Run(name, func(t *testing.T) {
			var e Event
			_, _, ok := e.decode(in)
			require.False(t, ok)
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(datagram(Fork, 1, 2, 3, 4))
	f.Add(datagram(Comm, 1, 1, 1, 2, 3, 4))
	f.Add(datagram(Exit, 1, 2, 3, 4, 5, 6))
	f.Add(datagram(none, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e Event
		if _, _, ok := e.decode(b); !ok {
			require.Equal(t, Event{}, e, "a refused datagram leaves no trace")
		} else if e.Kind != none {
			require.NotEqual(t, "unknown", e.Kind.String())
			require.LessOrEqual(t, len(e.Name()), len(e.Comm))
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	in := datagram(Exit, 13, 13, 3<<8, 17, 10, 11)
	var e Event
	b.ReportAllocs()
	for b.Loop() {
		e.decode(in)
	}
}
