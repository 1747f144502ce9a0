package enrichment

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/process"
)

// Bounds of what is read and kept of a container.
const (
	maxContainerFile = 4 << 20
	maxStorageFile   = 32 << 20
	maxImage         = 512
	maxImages        = 1024
)

// images knows the images of containers, as the files of their runtimes tell them. What runs in a container cannot change
// these, but it may make itself a control group that is named after another container, whose image is then told.
type images struct {
	root string
	by   map[string]imageFound // by identifier; it is used by one goroutine
}

// imageFound is what was found until when it is looked for again.
type imageFound struct {
	image string
	until time.Time
}

// A container keeps its image; its runtime may not have written the file yet.
const (
	imageStays  = 24 * time.Hour
	imageMissed = time.Minute
)

// of returns the image of a container, "" if no file tells it.
func (i *images) of(id, runtime string, now time.Time) string {
	if !plainID(id) {
		return ""
	}
	if found, known := i.by[id]; known && now.Before(found.until) {
		return found.image
	}
	found := imageFound{image: i.find(id, runtime), until: now.Add(imageStays)}
	if found.image == "" {
		found.until = now.Add(imageMissed)
	}
	if i.by == nil || len(i.by) >= maxImages {
		i.by = make(map[string]imageFound)
	}
	i.by[id] = found
	return found.image
}

// plainID reports whether an identifier can be part of a path: hexadecimal, or with a dash and a number behind (ECS).
func plainID(id string) bool {
	return len(id) >= 12 && len(id) <= 128 && strings.Trim(id, "0123456789abcdef-") == ""
}

// find asks the files of the runtime, or of each if that is not known.
func (i *images) find(id, runtime string) string {
	places := []struct {
		runtime string
		find    func(id string) string
	}{{"docker", i.docker}, {"containerd", i.containerd}, {"cri-o", i.storage}, {"podman", i.storage}}
	for _, p := range places {
		if runtime != "" && runtime != p.runtime {
			continue
		}
		if image := p.find(id); image != "" {
			return process.Printable(image, maxImage)
		}
	}
	return ""
}

// docker reads the state Docker Engine keeps of each container.
func (i *images) docker(id string) string {
	text, err := readFile(filepath.Join(i.root, "var/lib/docker/containers", id, "config.v2.json"), maxContainerFile)
	if err != nil {
		return ""
	}
	return dockerImage(text)
}

func dockerImage(text []byte) string {
	var c struct{ Config struct{ Image string } }
	if json.Unmarshal(text, &c) != nil {
		return ""
	}
	return c.Config.Image
}

// containerd reads the specification of a running task of Kubernetes (CRI), where the image is noted. Other clients of
// containerd note it in its database only.
func (i *images) containerd(id string) string {
	dir := filepath.Join(i.root, "run/containerd/io.containerd.runtime.v2.task/k8s.io", id)
	text, err := readFile(filepath.Join(dir, "config.json"), maxContainerFile)
	if err != nil {
		return ""
	}
	return specImage(text)
}

// imageAnnotations are where an OCI runtime specification (config.md) may name the image.
var imageAnnotations = []string{"io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName"}

func specImage(text []byte) string {
	var spec struct {
		Annotations map[string]string `json:"annotations"`
	}
	if json.Unmarshal(text, &spec) != nil {
		return ""
	}
	for _, name := range imageAnnotations {
		if image := spec.Annotations[name]; image != "" {
			return image
		}
	}
	return ""
}

// storage reads the list of containers that Podman and CRI-O share (containers/storage), of root; a user's own containers
// are not looked for.
func (i *images) storage(id string) string {
	for _, name := range []string{"overlay-containers", "vfs-containers", "btrfs-containers"} {
		text, err := readFile(filepath.Join(i.root, "var/lib/containers/storage", name, "containers.json"), maxStorageFile)
		if err != nil {
			continue
		}
		if image := storageImage(text, id); image != "" {
			return image
		}
	}
	return ""
}

// storageImage looks a container up; what the engine notes of it is JSON within a string.
func storageImage(text []byte, id string) string {
	var containers []struct {
		ID       string `json:"id"`
		Metadata string `json:"metadata"`
	}
	if json.Unmarshal(text, &containers) != nil {
		return ""
	}
	for _, c := range containers {
		if c.ID != id {
			continue
		}
		var noted struct {
			Image string `json:"image-name"`
		}
		if json.Unmarshal([]byte(c.Metadata), &noted) == nil {
			return noted.Image
		}
	}
	return ""
}
