package sqlhost

import (
	"context"
	"errors"
	"strconv"

	"github.com/osquery/osquery-go/gen/osquery"

	"github.com/beaconwatch/beaconwatch/internal/wire"
)

// Status codes of osquery's ExtensionCode.
const (
	codeSuccess = 0
	codeFailed  = 1
)

// manager answers the Thrift service ExtensionManager for clients of one socket. An error of a statement or a table is a
// status, never a Thrift exception, as in osquery.
type manager struct {
	host   *Host
	socket string
}

func (m *manager) Ping(context.Context) (*osquery.ExtensionStatus, error) {
	return &osquery.ExtensionStatus{Code: codeSuccess, Message: "pong"}, nil
}

// Shutdown does nothing: in osquery, too, it is meant for extensions, and a client may not end the host.
func (m *manager) Shutdown(context.Context) error { return nil }

func (m *manager) Extensions(context.Context) (osquery.InternalExtensionList, error) {
	list := osquery.InternalExtensionList{}
	for _, e := range m.host.snapshot() {
		info := e.info
		list[e.uuid] = &info
	}
	return list, nil
}

func (m *manager) Options(context.Context) (osquery.InternalOptionList, error) {
	seconds := func(seconds float64) string { return strconv.FormatFloat(seconds, 'f', -1, 64) }
	option := func(value, standard, kind string) *osquery.InternalOptionInfo {
		return &osquery.InternalOptionInfo{Value: value, DefaultValue: standard, Type: kind}
	}
	config := m.host.config
	return osquery.InternalOptionList{
		"extensions_socket":        option(m.socket, "", "string"),
		"extensions_timeout":       option(seconds(config.Timeout.Seconds()), "3", "string"),
		"extensions_interval":      option(seconds(config.PingInterval.Seconds()), "3", "string"),
		"extensions_default_index": option(strconv.FormatBool(!config.NoDefaultIndex), "true", "bool"),
	}, nil
}

func (m *manager) RegisterExtension(_ context.Context, info *osquery.InternalExtensionInfo, registry osquery.ExtensionRegistry) (*osquery.ExtensionStatus, error) {
	if info == nil {
		return failure("an extension needs a name"), nil
	}
	uuid, err := m.host.register(m.socket, *info, registry)
	if err != nil {
		m.host.config.Logger.Warn("extension refused", "name", info.Name, "err", err)
		message := err.Error()
		if errors.Is(err, errDuplicate) {
			message = "Duplicate extension registered" // osquery's words, which extensions look for
		}
		return failure(message), nil
	}
	return &osquery.ExtensionStatus{Code: codeSuccess, Message: "OK", UUID: uuid}, nil
}

func (m *manager) DeregisterExtension(_ context.Context, uuid osquery.ExtensionRouteUUID) (*osquery.ExtensionStatus, error) {
	if !m.host.deregister(uuid, "deregistered") {
		return &osquery.ExtensionStatus{Code: codeFailed, Message: "No extension UUID registered"}, nil
	}
	return &osquery.ExtensionStatus{Code: codeSuccess, Message: "OK", UUID: uuid}, nil
}

// Call and Query are there because osquery.ExtensionManager wants them: call and query answer in their place.
func (m *manager) Call(ctx context.Context, registry, item string, request osquery.ExtensionPluginRequest) (*osquery.ExtensionResponse, error) {
	response := m.call(ctx, registry, item, request).Response()
	return &response, nil
}

func (m *manager) Query(ctx context.Context, sql string) (*osquery.ExtensionResponse, error) {
	response := m.query(ctx, sql).Response()
	return &response, nil
}

// call passes a request to a table, wherever it is served.
func (m *manager) call(ctx context.Context, registry, item string, request osquery.ExtensionPluginRequest) wire.Answer {
	if registry != "table" {
		return refusal("Unknown registry name: " + registry)
	}
	t := m.host.currentCatalog().lookup(item)
	if t == nil {
		return refusal("Cannot call registry item: " + item)
	}
	answer, err := t.guard.call(ctx, request)
	if err != nil {
		return refusal(err.Error())
	}
	return answer
}

func (m *manager) query(ctx context.Context, sql string) wire.Answer {
	result := sent{rows: wire.List(nil)}
	if err := m.host.query(ctx, sql, &result); err != nil {
		return refusal(err.Error())
	}
	return wire.Answer{Status: &osquery.ExtensionStatus{Code: codeSuccess, Message: "OK"}, Rows: result.rows}
}

func refusal(message string) wire.Answer { return wire.Answer{Status: failure(message)} }

// GetQueryColumns answers one map per column, from its name to its type: the list is what keeps the order.
func (m *manager) GetQueryColumns(ctx context.Context, sql string) (*osquery.ExtensionResponse, error) {
	names, types, err := m.host.Columns(ctx, sql)
	if err != nil {
		return &osquery.ExtensionResponse{Status: failure(err.Error())}, nil
	}
	response := make(osquery.ExtensionPluginResponse, len(names))
	for i, name := range names {
		response[i] = map[string]string{name: types[i]}
	}
	return &osquery.ExtensionResponse{Status: &osquery.ExtensionStatus{Code: codeSuccess, Message: "OK"}, Response: response}, nil
}

func failure(message string) *osquery.ExtensionStatus {
	return &osquery.ExtensionStatus{Code: codeFailed, Message: message}
}
