package sqlhost

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"time"

	"github.com/osquery/osquery-go/gen/osquery"
)

// maxTables bounds the tables of one extension.
const maxTables = 256

// errDuplicate refuses a name that is registered already.
var errDuplicate = errors.New("an extension of that name is registered")

// register adds an extension that came over the manager socket, with all its tables or not at all.
func (h *Host) register(manager string, info osquery.InternalExtensionInfo, registry osquery.ExtensionRegistry) (osquery.ExtensionRouteUUID, error) {
	e := &extension{info: info, manager: manager, registered: time.Now(), stall: h.config.Timeout}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return 0, ErrClosed
	case info.Name == "":
		return 0, errors.New("an extension needs a name")
	case len(registry["table"]) > maxTables:
		return 0, fmt.Errorf("%d tables are more than %d", len(registry["table"]), maxTables)
	case len(h.extensions) >= h.config.MaxExtensions:
		return 0, fmt.Errorf("%d extensions are registered, and that is the limit", len(h.extensions))
	}
	for _, other := range h.extensions {
		if other.info.Name == info.Name {
			return 0, errDuplicate
		}
	}
	h.assign(e)
	var added []*relation
	for name, routes := range registry["table"] {
		t, err := h.newTable(name, e.uuid, routes, remote{e, name})
		if err != nil {
			return 0, err
		}
		added = append(added, t)
	}
	next, err := h.catalog.with(added)
	if err != nil {
		return 0, err
	}
	h.catalog = next
	h.extensions[e.uuid] = e
	h.config.Logger.Info("extension registered", "name", info.Name, "uuid", e.uuid, "tables", len(added))
	return e.uuid, nil
}

// assign gives the extension a free identifier, 16 bits as osquery's are, whose socket path is free too.
func (h *Host) assign(e *extension) {
	for {
		e.uuid = osquery.ExtensionRouteUUID(1 + rand.IntN(1<<16-1))
		e.socket = e.manager + "." + strconv.FormatInt(int64(e.uuid), 10)
		if _, taken := h.extensions[e.uuid]; taken {
			continue
		}
		if _, err := os.Lstat(e.socket); errors.Is(err, os.ErrNotExist) {
			return
		}
	}
}

// deregister removes an extension and its tables. Statements that run keep what they hold.
func (h *Host) deregister(uuid osquery.ExtensionRouteUUID, reason string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.extensions[uuid]
	if e == nil {
		return false
	}
	delete(h.extensions, uuid)
	h.catalog = h.catalog.without(uuid)
	h.config.Logger.Info("extension removed", "name", e.info.Name, "uuid", uuid, "reason", reason)
	return true
}

// Drop removes the extension of that name without telling it, as osqueryd does after one failed check: the extension's
// pings still succeed, and its tables are gone. It reports whether there was one.
func (h *Host) Drop(name string) bool {
	for _, e := range h.snapshot() {
		if e.info.Name == name {
			return h.deregister(e.uuid, "dropped")
		}
	}
	return false
}

// snapshot returns the registered extensions.
func (h *Host) snapshot() []*extension {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]*extension, 0, len(h.extensions))
	for _, e := range h.extensions {
		all = append(all, e)
	}
	return all
}
