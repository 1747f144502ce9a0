package enrichment

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/process"
)

// Bounds of what is read and kept of containers.
const (
	maxContainerFile  = 4 << 20
	maxStorageFile    = 32 << 20
	maxContainerText  = 512
	maxContainers     = 1024
	maxTaskNamespaces = 64
)

// A container keeps its image; its runtime may not have written the file yet.
const (
	containerStays  = 24 * time.Hour
	containerMissed = time.Minute
)

// container is what the files of a runtime tell of a container; "" where they do not.
type container struct{ image, name string }

// containers knows containers by the files of their runtimes. What runs in a container cannot change these, but it may make
// itself a control group that is named after another container, which is then told.
type containers struct {
	root string
	by   map[string]containerFound // by identifier; it is used by one goroutine
}

// containerFound is what was found until when it is looked for again.
type containerFound struct {
	container
	until time.Time
}

// of returns what is told of the container of a process. Control groups below a user's own service manager (user@.service(5))
// are named by that user, whose containers the files of root do not tell of.
func (c *containers) of(info *process.Info, now time.Time) container {
	id := info.ContainerID
	if above, _, _ := strings.Cut(info.CgroupPath, id); !plainID(id) || strings.Contains(above, "/user@") {
		return container{}
	}
	if found, known := c.by[id]; known && now.Before(found.until) {
		return found.container
	}
	found := containerFound{container: c.find(id, info.ContainerRuntime), until: now.Add(containerStays)}
	if found.container == (container{}) {
		found.until = now.Add(containerMissed)
	}
	if c.by == nil || len(c.by) >= maxContainers {
		c.by = make(map[string]containerFound)
	}
	c.by[id] = found
	return found.container
}

// plainID reports whether an identifier can be part of a path: hexadecimal, or with a dash and a number behind (ECS).
func plainID(id string) bool {
	return len(id) >= 12 && len(id) <= 128 && strings.Trim(id, "0123456789abcdef-") == ""
}

// find asks the files of the runtime, or of each if that is not known.
func (c *containers) find(id, runtime string) container {
	places := []struct {
		runtime string
		find    func(id string) container
	}{{"docker", c.docker}, {"containerd", c.containerd}, {"cri-o", c.storage}, {"podman", c.storage}}
	for _, p := range places {
		if runtime != "" && runtime != p.runtime {
			continue
		}
		if told := p.find(id); told != (container{}) {
			return container{image: process.Printable(told.image, maxContainerText), name: process.Printable(told.name, maxContainerText)}
		}
	}
	return container{}
}

// docker reads the state Docker Engine keeps of each container.
func (c *containers) docker(id string) container {
	text, err := readOwned(filepath.Join(c.root, "var/lib/docker/containers", id, "config.v2.json"), maxContainerFile)
	if err != nil {
		return container{}
	}
	return dockerContainer(text)
}

func dockerContainer(text []byte) container {
	var state struct {
		Name   string
		Config struct{ Image string }
	}
	if json.Unmarshal(text, &state) != nil {
		return container{}
	}
	return container{image: state.Config.Image, name: givenName(strings.TrimPrefix(state.Name, "/"))}
}

// containerd reads the specification of a running task, of whichever client. Its namespaces are directories.
func (c *containers) containerd(id string) container {
	tasks, err := os.Open(filepath.Join(c.root, "run/containerd/io.containerd.runtime.v2.task"))
	if err != nil {
		return container{}
	}
	defer tasks.Close()
	namespaces, _ := tasks.Readdirnames(maxTaskNamespaces) // what was read before an error is as good
	for _, namespace := range namespaces {
		text, err := readOwned(filepath.Join(tasks.Name(), namespace, id, "config.json"), maxContainerFile)
		if err != nil {
			continue
		}
		if told := specContainer(text); told != (container{}) {
			return told
		}
	}
	return container{}
}

// specContainer reads the annotations of an OCI runtime specification (config.md). Kubernetes' interface notes image and name
// there, nerdctl the name; the image of the latter, and all of other clients, is in containerd's database only.
func specContainer(text []byte) container {
	var spec struct {
		Annotations map[string]string `json:"annotations"`
	}
	if json.Unmarshal(text, &spec) != nil {
		return container{}
	}
	const cri = "io.kubernetes.cri."
	a := spec.Annotations
	told := container{image: a[cri+"image-name"], name: podName(a[cri+"sandbox-namespace"], a[cri+"sandbox-name"], a[cri+"container-name"])}
	if told == (container{}) {
		told.name = givenName(a["nerdctl/name"])
	}
	return told
}

// storage reads the list of containers that Podman and CRI-O share (containers/storage), of root; a user's own containers
// are not looked for.
func (c *containers) storage(id string) container {
	for _, name := range []string{"overlay-containers", "vfs-containers", "btrfs-containers"} {
		text, err := readOwned(filepath.Join(c.root, "var/lib/containers/storage", name, "containers.json"), maxStorageFile)
		if err != nil {
			continue
		}
		if told := storageContainer(text, id); told != (container{}) {
			return told
		}
	}
	return container{}
}

// storageContainer looks a container up; what the engine notes of it is JSON within a string.
func storageContainer(text []byte, id string) container {
	var all []struct {
		ID       string   `json:"id"`
		Names    []string `json:"names"`
		Metadata string   `json:"metadata"`
	}
	if json.Unmarshal(text, &all) != nil {
		return container{}
	}
	for _, one := range all {
		if one.ID != id {
			continue
		}
		var told container
		if len(one.Names) > 0 {
			told.name = givenName(one.Names[0])
		}
		var noted struct {
			Image string `json:"image-name"`
		}
		if json.Unmarshal([]byte(one.Metadata), &noted) == nil {
			told.image = noted.Image
		}
		return told
	}
	return container{}
}

// givenName is the name of a container as its engine has it. CRI-O and cri-dockerd put together what Kubernetes calls it, in
// names that have no underscore themselves: k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT.
func givenName(name string) string {
	if parts := strings.Split(name, "_"); parts[0] == "k8s" && len(parts) >= 6 {
		return podName(parts[3], parts[2], parts[1])
	}
	if strings.Contains(name, "/") {
		return "" // no engine gives such a name; it would look like that of a pod
	}
	return name
}

// podName is the name of a pod's container, which says something only within its namespace; "" if a part is not known.
func podName(namespace, pod, name string) string {
	for _, part := range []string{namespace, pod, name} {
		if part == "" || strings.Contains(part, "/") {
			return ""
		}
	}
	return namespace + "/" + pod + "/" + name
}

// readOwned reads a file that nobody but root, or the user of the sensor, can have written.
func readOwned(path string, limit int64) ([]byte, error) {
	f, err := open(path, limit)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if st.Uid != 0 && int(st.Uid) != os.Geteuid() || st.Mode&0o022 != 0 {
		return nil, fmt.Errorf("%s can be written by others", path)
	}
	return readAll(f, limit)
}
