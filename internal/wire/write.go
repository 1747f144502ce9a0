package wire

import (
	"context"
	"encoding/binary"
	"slices"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/osquery/osquery-go/gen/osquery"
)

// Write writes the answer as osquery.ExtensionCallResult would write its Response. The protocol is binary Thrift.
func (a Answer) Write(ctx context.Context, p thrift.TProtocol) error {
	if a.Rows == nil {
		response := a.Response()
		return (&osquery.ExtensionCallResult{Success: &response}).Write(ctx, p)
	}
	if err := p.WriteFieldBegin(ctx, "success", thrift.STRUCT, 0); err != nil {
		return err
	}
	if err := p.WriteFieldBegin(ctx, "status", thrift.STRUCT, 1); err != nil {
		return err
	}
	if err := a.Status.Write(ctx, p); err != nil {
		return err
	}
	if err := p.WriteFieldBegin(ctx, "response", thrift.LIST, 2); err != nil {
		return err
	}
	if err := p.WriteListBegin(ctx, thrift.MAP, a.Rows.Len()); err != nil {
		return err
	}
	if err := a.Rows.write(p.Transport()); err != nil {
		return err
	}
	if err := p.WriteFieldStop(ctx); err != nil { // of the response
		return err
	}
	return p.WriteFieldStop(ctx) // of the result
}

// write writes each row as map<string,string>: the types of keys and values, the number of pairs, and the strings, each after its
// length. Of columns with the same name the last is there.
func (r *Rows) write(t thrift.TTransport) error {
	names := make([]string, len(r.names.held))
	for i, name := range r.names.held {
		if !slices.Contains(r.names.held[i+1:], name) {
			names[i] = string(appendString(nil, name))
		}
	}
	var buffer []byte
	for row := range r.rows {
		buffer = append(buffer[:0], thrift.STRING, thrift.STRING, 0, 0, 0, 0)
		pairs := uint32(0)
		for place, name := range names {
			if value, ok := r.Value(row, place); ok && name != "" {
				buffer = append(buffer, name...)
				buffer = appendString(buffer, value)
				pairs++
			}
		}
		binary.BigEndian.PutUint32(buffer[2:], pairs)
		if _, err := t.Write(buffer); err != nil {
			return err
		}
	}
	return nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}
