package enrichment

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/test/need"
)

var (
	containerA = strings.Repeat("a1", 32)
	containerB = strings.Repeat("b2", 32)
	containerC = strings.Repeat("c3", 32)
)

// stateFiles are files of container runtimes, cut to what matters.
func stateFiles(t testing.TB) string {
	return host(t, map[string]string{
		"var/lib/docker/containers/" + containerA + "/config.v2.json": `{"StreamConfig":{},"State":{"Running":true,"Pid":7},"ID":"` + containerA +
			`","Name":"/web","Config":{"Hostname":"x","Env":["A=b"],"Image":"nginx:1.27","Labels":{}},"Image":"sha256:0123"}`,
		"run/containerd/io.containerd.runtime.v2.task/k8s.io/" + containerA + "/config.json": `{"ociVersion":"1.1.0","annotations":{
			"io.kubernetes.cri.container-type":"container","io.kubernetes.cri.image-name":"registry.example/agent:3",
			"io.kubernetes.cri.container-name":"agent","io.kubernetes.cri.sandbox-name":"agent-x7k2p","io.kubernetes.cri.sandbox-namespace":"shop"}}`,
		"run/containerd/io.containerd.runtime.v2.task/default/" + containerC + "/config.json": `{"annotations":{"nerdctl/namespace":"default","nerdctl/name":"poller"}}`,
		"var/lib/containers/storage/overlay-containers/containers.json": `[{"id":"` + containerB + `","names":["mirror"],"image":"0123","metadata":
			"{\"image-name\":\"docker.io/library/alpine:3\",\"image-id\":\"0123\",\"name\":\"mirror\"}"},{"id":"` + containerC +
			`","names":["k8s_etcd_etcd-n1_kube-system_7d0a5a0e-5d3b-4d51-a4a2-3f6a6f2f5d8e_0"],"metadata":"{\"image-name\":\"registry.example/etcd:3\"}"}]`,
	})
}

func of(c *containers, id, runtime string, now time.Time) container {
	return c.of(&process.Info{ContainerID: id, ContainerRuntime: runtime, CgroupPath: "/system.slice/" + id}, now)
}

func TestContainers(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	tests := []struct {
		name, id, runtime string
		want              container
	}{
		{"docker", containerA, "docker", container{"nginx:1.27", "web"}},
		{"containerd", containerA, "containerd", container{"registry.example/agent:3", "shop/agent-x7k2p/agent"}},
		{"nerdctl", containerC, "containerd", container{"", "poller"}},
		{"podman", containerB, "podman", container{"docker.io/library/alpine:3", "mirror"}},
		{"cri-o", containerC, "cri-o", container{"registry.example/etcd:3", "kube-system/etcd-n1/etcd"}},
		{"whichever has it", containerB, "", container{"docker.io/library/alpine:3", "mirror"}},
		{"another runtime's", containerB, "docker", container{}},
		{"none", "", "", container{}},
		{"no identifier", "../../../etc/passwd", "docker", container{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, of(&containers{root: stateFiles(t)}, tt.id, tt.runtime, now))
		})
	}
}

// TestContainersAreRemembered: files are not read for each process, nor for ever in vain.
func TestContainersAreRemembered(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	c := containers{root: t.TempDir()}
	require.Empty(t, of(&c, containerA, "docker", now))
	c.root = stateFiles(t)
	require.Empty(t, of(&c, containerA, "docker", now.Add(containerMissed-1)))
	require.Equal(t, "web", of(&c, containerA, "docker", now.Add(containerMissed)).name)
	c.root = t.TempDir()
	require.Equal(t, "web", of(&c, containerA, "docker", now.Add(time.Hour)).name, "the container has gone, its last process is still shown")
	for n := range 3 * maxContainers {
		of(&c, strings.Repeat("0", 60)+itoa(1000+n), "docker", now)
		require.LessOrEqual(t, len(c.by), maxContainers)
	}
}

// TestAUserCannotBorrowAContainer: what a user may name or write himself tells nothing of a container.
func TestAUserCannotBorrowAContainer(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	told := func(change func(root string, i *process.Info)) container {
		i := process.Info{ContainerID: containerA, ContainerRuntime: "docker", CgroupPath: "/system.slice/docker-" + containerA + ".scope"}
		c := containers{root: stateFiles(t)}
		change(c.root, &i)
		return c.of(&i, now)
	}
	state := func(root string) string { return root + "/var/lib/docker/containers/" + containerA + "/config.v2.json" }
	require.Equal(t, "web", told(func(string, *process.Info) {}).name)
	require.Empty(t, told(func(_ string, i *process.Info) {
		i.CgroupPath = "/user.slice/user-1000.slice/user@1000.service/docker-" + containerA + ".scope"
	}), "a control group of his own")
	require.Equal(t, "web", told(func(_ string, i *process.Info) { i.CgroupPath += "/user.slice/user-0.slice/user@0.service/app.slice" }).name, "a user in a container")
	require.Empty(t, told(func(root string, _ *process.Info) { require.NoError(t, os.Chmod(state(root), 0o664)) }), "a file that others can write")
	require.Empty(t, told(func(root string, _ *process.Info) { require.NoError(t, os.Truncate(state(root), maxContainerFile+1)) }), "too large")
	need.Root(t)
	require.Empty(t, told(func(root string, _ *process.Info) { require.NoError(t, os.Chown(state(root), 1000, 0)) }), "a file of his own")
}

func TestNamesOfContainers(t *testing.T) {
	for given, want := range map[string]string{
		"web": "web", "k8s": "k8s", "k8s_web": "k8s_web",
		"k8s_app_app-0_shop_7d0a5a0e_0":       "shop/app-0/app",
		"k8s_app_app-0_shop_7d0a5a0e_0_12345": "shop/app-0/app", // cri-dockerd, where the name was taken
		"k8s__app-0_shop_7d0a5a0e_0":          "",
		"shop/app-0/app":                      "", // would pass for a pod's
	} {
		require.Equal(t, want, givenName(given), given)
	}
	require.Empty(t, podName("shop", "app-0", ""))
	long := `{"annotations":{"nerdctl/name":"` + strings.Repeat("\\u0007x", maxContainerText) + `"}}`
	root := host(t, map[string]string{"run/containerd/io.containerd.runtime.v2.task/a/" + containerB + "/config.json": long})
	name := of(&containers{root: root}, containerB, "containerd", time.Unix(1_700_000_000, 0)).name
	require.True(t, strings.HasPrefix(name, `\ax\ax`), name)
	require.LessOrEqual(t, len(name), maxContainerText)
}

// TestNamespacesOfContainerdAreBounded: a directory of a million names costs no more than one of a few.
func TestNamespacesOfContainerdAreBounded(t *testing.T) {
	files := map[string]string{}
	for n := range 4 * maxTaskNamespaces {
		files["run/containerd/io.containerd.runtime.v2.task/n"+itoa(n)+"/"+strings.Repeat("0", 60)+itoa(1000+n)+"/config.json"] = `{"annotations":{"nerdctl/name":"x"}}`
	}
	c := containers{root: host(t, files)}
	found := 0
	for n := range 4 * maxTaskNamespaces {
		if of(&c, strings.Repeat("0", 60)+itoa(1000+n), "containerd", time.Unix(1_700_000_000, 0)).name != "" {
			found++
		}
	}
	require.Equal(t, maxTaskNamespaces, found)
}

func FuzzContainer(f *testing.F) {
	f.Add([]byte(`{"Name":"/web","Config":{"Image":"nginx"},"annotations":{"io.kubernetes.cri.image-name":"x","nerdctl/name":"y"}}`), containerA)
	f.Add([]byte(`[{"id":"x","names":["k8s_a_b_c_d_0"],"metadata":"{\"image-name\":\"y\"}"}]`), "x")
	f.Fuzz(func(t *testing.T, text []byte, id string) {
		for _, told := range []container{dockerContainer(text), specContainer(text), storageContainer(text, id)} {
			require.Contains(t, []int{0, 2}, strings.Count(told.name, "/"), "a name, or namespace, pod and name")
		}
		if plainID(id) {
			require.NotContains(t, id, "/")
			require.NotContains(t, id, ".")
		}
	})
}
