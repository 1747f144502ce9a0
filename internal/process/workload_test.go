package process

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// aContainer is an identifier as runtimes draw it.
var aContainer = strings.Repeat("0123456789abcdef", 4)

const aPod = "0d4c9f1a-9b0e-4b57-8a5b-3f0e2b7c1d2e"

func TestWorkload(t *testing.T) {
	slashed := strings.ReplaceAll(aPod, "-", "_")
	tests := []struct {
		name, cgroup, workload, unit, id, runtime string
	}{
		{"unknown", "", "", "", "", ""},
		{"the root", "/", "", "", "", ""},
		{"init", "/init.scope", "init.scope", "init.scope", "", ""},
		{"a service", "/system.slice/cron.service", "cron.service", "cron.service", "", ""},
		{"a service that is numbered on purpose", "/system.slice/postgresql-14.service", "postgresql-14.service",
			"postgresql-14.service", "", ""},
		{"below a delegated service", "/system.slice/foo.service/worker-3", "foo.service", "foo.service", "", ""},
		{"a template", "/system.slice/system-getty.slice/getty@tty1.service", "getty@.service", "getty@tty1.service", "", ""},
		{"a session", "/user.slice/user-1000.slice/session-12.scope", "session.scope", "session-12.scope", "", ""},
		{"a session without a seat", "/user.slice/user-0.slice/session-c3.scope", "session.scope", "session-c3.scope", "", ""},
		{"systemd-run --scope", "/system.slice/run-r0123456789abcdef0123456789abcdef.scope", "run.scope",
			"run-r0123456789abcdef0123456789abcdef.scope", "", ""},
		{"systemd-run", "/system.slice/run-u123.service", "run.service", "run-u123.service", "", ""},
		{"systemd-run since 257", "/system.slice/run-p4711-i4712.service", "run.service", "run-p4711-i4712.service", "", ""},
		{"systemd-run of old", "/system.slice/run-4711.scope", "run.scope", "run-4711.scope", "", ""},
		{"a health check of podman", "/system.slice/" + aContainer + "-0123456789abcdef.service", "transient.service",
			aContainer + "-0123456789abcdef.service", "", ""},
		{"the user's manager", "/user.slice/user-1000.slice/user@1000.service/init.scope", "user@.service/init.scope",
			"init.scope", "", ""},
		{"a user's manager itself", "/user.slice/user-1000.slice/user@1000.service", "user@.service", "user@1000.service", "", ""},
		{"a desktop application", "/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-org.gnome.Terminal-4711.scope",
			"user@.service/app-gnome-org.gnome.Terminal.scope", "app-gnome-org.gnome.Terminal-4711.scope", "", ""},
		{"a desktop application by its random name", "/user.slice/user-1000.slice/user@1000.service/app.slice/app-firefox@0fe1.service",
			"user@.service/app-firefox@.service", "app-firefox@0fe1.service", "", ""},
		{"an escaped dash", `/user.slice/user-1000.slice/user@1000.service/app.slice/app-flatpak-org.x\x2dy-17.scope`,
			"user@.service/app-flatpak-org.x-y.scope", `app-flatpak-org.x\x2dy-17.scope`, "", ""},
		{"a snap", "/user.slice/user-1000.slice/user@1000.service/app.slice/snap.firefox.firefox-" + aPod + ".scope",
			"user@.service/snap.firefox.firefox.scope", "snap.firefox.firefox-" + aPod + ".scope", "", ""},
		{"a snap of old", "/system.slice/snap.lxd.daemon." + aPod + ".scope", "snap.lxd.daemon.scope",
			"snap.lxd.daemon." + aPod + ".scope", "", ""},
		{"a D-Bus activation", "/system.slice/system-dbus.slice/dbus-:1.2-org.x.Problems@0.service", "dbus-org.x.Problems@.service",
			"dbus-:1.2-org.x.Problems@0.service", "", ""},
		{"only a slice", "/user.slice/user-1000.slice", "user.slice", "", "", ""},
		{"a virtual machine", `/machine.slice/machine-qemu\x2d3\x2dweb.scope`, "machine-qemu-web.scope",
			`machine-qemu\x2d3\x2dweb.scope`, "", ""},
		{"no systemd", "/jobs/8697b7b1c231910a119e0ec84c9fcf3c", "/jobs", "", "", ""},
		{"no systemd, by number", "/jobs/nightly/" + aPod, "/jobs/nightly", "", "", ""},
		{"docker under systemd", "/system.slice/docker-" + aContainer + ".scope", "docker", "docker-" + aContainer + ".scope",
			aContainer, "docker"},
		{"docker without", "/docker/" + aContainer, "docker", "", aContainer, "docker"},
		{"a unit inside docker", "/docker/" + aContainer + "/system.slice/nginx.service", "docker/nginx.service", "", aContainer,
			"docker"},
		{"docker inside docker", "/docker/" + strings.Repeat("1a", 32) + "/docker/" + aContainer, "docker", "", aContainer, "docker"},
		{"podman", "/machine.slice/libpod-" + aContainer + ".scope/container", "podman", "libpod-" + aContainer + ".scope",
			aContainer, "podman"},
		{"podman's monitor", "/machine.slice/libpod-conmon-" + aContainer + ".scope", "libpod-conmon.scope",
			"libpod-conmon-" + aContainer + ".scope", "", ""},
		{"podman of a user", "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + aContainer + ".scope", "podman",
			"libpod-" + aContainer + ".scope", aContainer, "podman"},
		{"a pod under systemd", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + slashed +
			".slice/cri-containerd-" + aContainer + ".scope", "kubepods", "cri-containerd-" + aContainer + ".scope", aContainer,
			"containerd"},
		{"a pod of cri-o", "/kubepods.slice/kubepods-pod" + slashed + ".slice/crio-" + aContainer + ".scope", "kubepods",
			"crio-" + aContainer + ".scope", aContainer, "cri-o"},
		{"a pod without systemd", "/kubepods/besteffort/pod" + aPod + "/" + aContainer, "kubepods", "", aContainer, ""},
		{"a pod outside its containers", "/kubepods/besteffort/pod" + aPod, "/kubepods/besteffort", "", "", ""},
		{"a pod's slice", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + slashed + ".slice",
			"kubepods-burstable-pod.slice", "", "", ""},
		{"podman below a unit", "/system.slice/web.service/libpod-payload-" + aContainer, "podman", "web.service", aContainer, "podman"},
		{"podman in a pod", "/machine.slice/machine-libpod_pod_" + aContainer + ".slice/libpod-" + aContainer + ".scope/container",
			"podman", "libpod-" + aContainer + ".scope", aContainer, "podman"},
		{"podman without systemd", "/libpod_parent/libpod-" + aContainer, "podman", "", aContainer, "podman"},
		{"docker of a user", "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" + aContainer + ".scope", "docker",
			"docker-" + aContainer + ".scope", aContainer, "docker"},
		{"a pod of a node that is a container", "/system.slice/docker-" + strings.Repeat("1a", 32) + ".scope/kubelet.slice/" +
			"kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod" + slashed +
			".slice/cri-containerd-" + aContainer + ".scope", "kubepods", "docker-" + strings.Repeat("1a", 32) + ".scope", aContainer,
			"containerd"},
		{"a pod of cri-o without systemd", "/kubepods/burstable/pod" + aPod + "/crio-" + aContainer, "kubepods", "", aContainer, "cri-o"},
		{"the monitor of cri-o", "/system.slice/crio-conmon-" + aContainer + ".scope", "crio-conmon.scope",
			"crio-conmon-" + aContainer + ".scope", "", ""},
		{"a pod by cri-dockerd", "/kubepods.slice/kubepods-pod" + slashed + ".slice/docker-" + aContainer + ".scope", "kubepods",
			"docker-" + aContainer + ".scope", aContainer, "docker"},
		{"nerdctl", "/system.slice/nerdctl-" + aContainer + ".scope", "containerd", "nerdctl-" + aContainer + ".scope", aContainer,
			"containerd"},
		{"containerd by name space", "/k8s.io/" + aContainer, "containerd", "", aContainer, "containerd"},
		{"containerd half under systemd", "/system.slice/containerd.service/kubepods-pod" + slashed + ".slice:cri-containerd:" +
			aContainer, "kubepods", "containerd.service", aContainer, "containerd"},
		{"ECS", "/ecs/0123456789abcdef0123456789abcdef/0123456789abcdef0123456789abcdef-1234567890", "ecs", "",
			"0123456789abcdef0123456789abcdef-1234567890", ""},
		{"some other parent", "/actions_job/" + aContainer, "container", "", aContainer, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id, runtime := ContainerID(tt.cgroup)
			require.Equal(t, []string{tt.workload, tt.unit, tt.id, tt.runtime},
				[]string{Workload(tt.cgroup), SystemdUnit(tt.cgroup), id, runtime})
		})
	}
}

// TestManyInstancesAreOneProgram is what the key is for.
func TestManyInstancesAreOneProgram(t *testing.T) {
	instances := map[string]func(i int) string{
		"cron sessions": func(i int) string { return fmt.Sprintf("/user.slice/user-0.slice/session-%d.scope", 17+i) },
		"containers of one image": func(i int) string {
			return fmt.Sprintf("/system.slice/docker-%064x.scope", 0xabcdef0123456789+uint64(i)*0x9e3779b97f4a7c15)
		},
		"pods": func(i int) string {
			return fmt.Sprintf("/kubepods.slice/kubepods-pod%08x_9b0e_4b57_8a5b_3f0e2b7c1d2e.slice/crio-%064x.scope", i, i)
		},
		"transient units": func(i int) string { return fmt.Sprintf("/system.slice/run-u%d.service", i) },
		"ssh instances":   func(i int) string { return fmt.Sprintf("/system.slice/sshd@%d-10.0.0.1:22-10.0.0.9:%d.service", i, i) },
	}
	for name, cgroup := range instances {
		t.Run(name, func(t *testing.T) {
			programs := map[Program]bool{}
			for i := range 20 {
				programs[Program{Path: "/usr/bin/curl", UID: 7, Workload: Workload(cgroup(i))}] = true
			}
			require.Len(t, programs, 1)
		})
	}
}

func FuzzWorkload(f *testing.F) {
	f.Add("/system.slice/docker-" + aContainer + ".scope/x.service")
	f.Add("/kubepods/pod" + aPod + "/:a:" + aContainer)
	f.Add("/user.slice/user-1.slice/session-1.scope")
	f.Add(`/a\x2d1@b.service`)
	f.Fuzz(func(t *testing.T, cgroup string) {
		workload, unit := Workload(cgroup), SystemdUnit(cgroup)
		id, _ := ContainerID(cgroup)
		for _, text := range []string{workload, unit} {
			require.LessOrEqual(t, len(text), MaxText)
			require.Equal(t, text, Printable(text, MaxText))
		}
		if id != "" {
			require.True(t, containerName(id))
			require.NotContains(t, workload, id)
		}
	})
}
