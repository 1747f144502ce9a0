package sockdiag

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGetReadsManySocketsByName(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) {
			pairs := connect(t, address, MaxBatch)
			c := dial(t, Config{})
			d, err := c.DumpTCP(Connections)
			found := collect(t, d, err)
			var queries []Query
			for i, p := range pairs {
				_, err := p.client.Write(make([]byte, 1+i))
				require.NoError(t, err)
				s := found[p.ends()]
				queries = append(queries, Query{Local: s.Local, Remote: s.Remote, Cookie: s.Cookie})
			}
			queries[3].Cookie++ // the address is in use again, the socket is another
			queries[5].Remote = netip.AddrPortFrom(queries[5].Remote.Addr(), 1)
			r, err := c.Get(queries)
			require.NoError(t, err)
			var s Socket
			for want := range queries {
				reply, ok := r.Next(&s)
				require.True(t, ok)
				require.Equal(t, want, reply.Index)
				require.Equal(t, want != 3 && want != 5, reply.Found)
				if reply.Found {
					require.Equal(t, queries[want].Cookie, s.Cookie)
					require.EqualValues(t, 1+want, s.Info.Sent())
				}
			}
			_, ok := r.Next(&s)
			require.False(t, ok)
			require.NoError(t, r.Err())
		})
	}
}

func TestGetOfNothingAndTooMuch(t *testing.T) {
	c := dial(t, Config{})
	r, err := c.Get(nil)
	require.NoError(t, err)
	_, ok := r.Next(&Socket{})
	require.False(t, ok)
	_, err = c.Get(make([]Query, MaxBatch+1))
	require.Error(t, err)
}

// What is known is the ends; what matters is the socket, and soon.
func TestGetBare(t *testing.T) {
	p := connect(t, "127.0.0.1:0", 1)[0]
	c := dial(t, Config{})
	d, err := c.DumpTCP(Connections)
	known := collect(t, d, err)[p.ends()]
	r, err := c.Get([]Query{{Local: known.Local, Remote: known.Remote, Cookie: AnyCookie, Bare: true}})
	require.NoError(t, err)
	var s Socket
	reply, ok := r.Next(&s)
	require.True(t, ok && reply.Found)
	require.Equal(t, known.Cookie, s.Cookie)
	require.Equal(t, known.Inode, s.Inode)
	require.Zero(t, s.Info.Length)
}

func TestGetOfAVanishedSocket(t *testing.T) {
	p := connect(t, "127.0.0.1:0", 1)[0]
	c := dial(t, Config{})
	d, err := c.DumpTCP(Connections)
	s := collect(t, d, err)[p.ends()]
	require.NoError(t, p.client.SetLinger(0))
	require.NoError(t, p.client.Close())
	r, err := c.Get([]Query{{Local: s.Local, Remote: s.Remote, Cookie: s.Cookie}})
	require.NoError(t, err)
	reply, ok := r.Next(&s)
	require.True(t, ok)
	require.False(t, reply.Found)
	require.NoError(t, r.Err())
}
