package enrichment

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	containerA = strings.Repeat("a1", 32)
	containerB = strings.Repeat("b2", 32)
)

// stateFiles are files of container runtimes, cut to what matters.
func stateFiles(t testing.TB) string {
	return host(t, map[string]string{
		"var/lib/docker/containers/" + containerA + "/config.v2.json": `{"StreamConfig":{},"State":{"Running":true,"Pid":7},"ID":"` + containerA +
			`","Config":{"Hostname":"x","Env":["A=b"],"Image":"nginx:1.27","Labels":{}},"Image":"sha256:0123"}`,
		"run/containerd/io.containerd.runtime.v2.task/k8s.io/" + containerA + "/config.json": `{"ociVersion":"1.1.0","annotations":{
			"io.kubernetes.cri.container-type":"container","io.kubernetes.cri.image-name":"registry.example/agent:3"}}`,
		"var/lib/containers/storage/overlay-containers/containers.json": `[{"id":"` + containerB + `","names":["x"],"image":"0123","metadata":
			"{\"image-name\":\"docker.io/library/alpine:3\",\"image-id\":\"0123\",\"name\":\"x\"}"}]`,
	})
}

func TestImages(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	tests := []struct{ name, id, runtime, want string }{
		{"docker", containerA, "docker", "nginx:1.27"},
		{"containerd", containerA, "containerd", "registry.example/agent:3"},
		{"podman", containerB, "podman", "docker.io/library/alpine:3"},
		{"cri-o", containerB, "cri-o", "docker.io/library/alpine:3"},
		{"whichever has it", containerB, "", "docker.io/library/alpine:3"},
		{"another runtime's", containerB, "docker", ""},
		{"none", "", "", ""},
		{"no identifier", "../../../etc/passwd", "docker", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := images{root: stateFiles(t)}
			require.Equal(t, tt.want, i.of(tt.id, tt.runtime, now))
		})
	}
}

// TestImagesAreRemembered: files are not read for each process, nor for ever in vain.
func TestImagesAreRemembered(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	i := images{root: t.TempDir()}
	require.Empty(t, i.of(containerA, "docker", now))
	i.root = stateFiles(t)
	require.Empty(t, i.of(containerA, "docker", now.Add(imageMissed-1)))
	require.Equal(t, "nginx:1.27", i.of(containerA, "docker", now.Add(imageMissed)))
	i.root = t.TempDir()
	require.Equal(t, "nginx:1.27", i.of(containerA, "docker", now.Add(time.Hour)), "the container has gone, its last process is still shown")
	for n := range 3 * maxImages {
		i.of(strings.Repeat("0", 60)+itoa(1000+n), "docker", now)
		require.LessOrEqual(t, len(i.by), maxImages)
	}
}

func FuzzImage(f *testing.F) {
	f.Add([]byte(`{"Config":{"Image":"nginx"},"annotations":{"io.kubernetes.cri.image-name":"x"}}`), containerA)
	f.Add([]byte(`[{"id":"x","metadata":"{\"image-name\":\"y\"}"}]`), "x")
	f.Fuzz(func(t *testing.T, text []byte, id string) {
		dockerImage(text)
		specImage(text)
		storageImage(text, id)
		if plainID(id) {
			require.NotContains(t, id, "/")
			require.NotContains(t, id, ".")
		}
	})
}
