package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestContainersInTheirNamespace: what runs in a control group as the runtimes make them, in a network namespace of its own, has its
// container, runtime and unit in the rows.
func TestContainersInTheirNamespace(t *testing.T) {
	t.Parallel()
	box, outside := network(t)
	top := cgroups(t)
	s := newSensor(t, quiet(t), "--max_net_namespaces", "64", attentive)
	launch(t, box, exec.Command("sleep", "60")) // it is there to be found
	box.isWatched(t, s, "sock_diag")
	to := sink(t, outside, public4)
	id := func(digit string) string { return strings.Repeat("0123456789abcde"+digit, 4) }
	const pod = "0d4c9f1a_9b0e_4b57_8a5b_3f0e2b7c1d2e"
	tests := []struct{ name, group, id, runtime, unit string }{
		{"docker", "system.slice/docker-" + id("a") + ".scope", id("a"), "docker", "docker-" + id("a") + ".scope"},
		{"containerd", "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + pod + ".slice/cri-containerd-" + id("b") + ".scope",
			id("b"), "containerd", "cri-containerd-" + id("b") + ".scope"},
		{"crio", "kubepods.slice/kubepods-pod" + pod + ".slice/crio-" + id("c") + ".scope", id("c"), "cri-o", "crio-" + id("c") + ".scope"},
		{"podman", "machine.slice/libpod-" + id("d") + ".scope/container", id("d"), "podman", "libpod-" + id("d") + ".scope"},
		{"cgroupfs", "kubepods/besteffort/pod" + pod + "/" + id("e"), id("e"), "", ""},
		{"unit", "system.slice/nginx.service", "", "", "nginx.service"},
	}
	actors := make([]*actor, len(tests))
	for i, test := range tests {
		actors[i] = newActor(t, box, "in-"+test.name)
		actors[i].inGroup(t, filepath.Join(top, test.group))
		actors[i].send(t, once(to, 250, 4*answer))
	}
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			require.EventuallyWithT(t, func(c *assert.CollectT) {
				row := one(c, s, "SELECT cgroup_path, container_id, container_runtime, systemd_unit, net_namespace, bytes_sent FROM process_outbound_stats WHERE path = "+
					quoted(actors[i].path))
				require.True(c, strings.HasSuffix(row["cgroup_path"], "/"+test.group), row["cgroup_path"])
				delete(row, "cgroup_path")
				require.Equal(c, map[string]string{"container_id": test.id, "container_runtime": test.runtime, "systemd_unit": test.unit,
					"net_namespace": box.inode(t), "bytes_sent": "250"}, row)
			}, patience, 100*time.Millisecond)
		})
	}
}
