package process

import "strings"

// container is what one element of a control group path says about a container.
type container struct {
	id      string
	runtime string // docker, containerd, cri-o, podman; "" if the path does not tell
	manager string // who asked for it: the runtime, or kubepods, ecs …; never empty
}

// ContainerID returns the identifier of the container a control group belongs to and the runtime that made it: docker,
// containerd, cri-o, podman, or "" where the path does not tell. Of nested containers it is the innermost. id is "" outside
// containers.
func ContainerID(cgroup string) (id, runtime string) {
	_, c, _ := lastContainer(split(cgroup))
	return c.id, c.runtime
}

// runtimes are the prefixes the runtimes put before the identifier in names of scopes and, without systemd, directories.
var runtimes = []struct{ prefix, runtime string }{
	{"cri-containerd-", "containerd"},
	{"containerd-", "containerd"},
	{"nerdctl-", "containerd"},
	{"crio-", "cri-o"},
	{"cri-o-", "cri-o"},
	{"libpod-payload-", "podman"}, // below the unit that runs podman (--cgroups=split, Quadlet)
	{"libpod-", "podman"},
	{"docker-", "docker"},
}

// lastContainer returns the innermost container of a path and the index of its element.
func lastContainer(elements []string) (int, container, bool) {
	for i := len(elements) - 1; i >= 0; i-- {
		if c, ok := containerAt(elements, i); ok {
			return i, c, true
		}
	}
	return 0, container{}, false
}

// firstContainer returns the outermost container of a path and the index of its element.
func firstContainer(elements []string) (int, container, bool) {
	for i := range elements {
		if c, ok := containerAt(elements, i); ok {
			return i, c, true
		}
	}
	return 0, container{}, false
}

// containerAt decides whether element i is that of a container. Forms in use: docker-ID.scope (systemd), /docker/ID
// (cgroupfs), kubepods-podUID.slice:cri-containerd:ID (a runtime set up for systemd under one that is not).
func containerAt(elements []string, i int) (container, bool) {
	name := strings.TrimSuffix(elements[i], ".scope")
	c := container{}
	if parent, rest, ok := strings.Cut(name, ":"); ok {
		prefix, id, ok := strings.Cut(rest, ":")
		if !ok {
			return c, false
		}
		c.runtime, name = runtimeNamed(prefix), id
		c.manager = managerOf([]string{parent})
	}
	for _, r := range runtimes {
		if id, ok := strings.CutPrefix(name, r.prefix); ok {
			name, c.runtime = id, r.runtime
			break
		}
	}
	if !containerName(name) {
		return container{}, false
	}
	c.id = name
	if c.runtime == "" && i > 0 {
		c.runtime = runtimeNamed(elements[i-1])
	}
	if manager := managerOf(elements[:i]); manager != "" {
		c.manager = manager
	}
	if c.manager == "" {
		c.manager = c.runtime
	}
	if c.manager == "" {
		c.manager = "container"
	}
	return c, true
}

// runtimeNamed is the runtime a directory or prefix is named after.
func runtimeNamed(name string) string {
	switch strings.TrimSuffix(name, ".slice") {
	case "docker", "ecs", "moby":
		return "docker"
	case "containerd", "cri-containerd", "k8s.io":
		return "containerd"
	case "crio", "cri-o":
		return "cri-o"
	case "libpod", "libpod_parent", "podman":
		return "podman"
	}
	return ""
}

// managerOf finds an orchestrator among the parents of a container, innermost first.
func managerOf(parents []string) string {
	for i := len(parents) - 1; i >= 0; i-- {
		switch name := parents[i]; {
		case strings.HasPrefix(name, "kubepods"), strings.HasPrefix(name, "kubelet-kubepods"): // the latter in a node that is a container
			return "kubepods"
		case name == "ecs" || strings.HasPrefix(name, "ecs-") || name == "ecstasks.slice":
			return "ecs"
		}
	}
	return ""
}

// containerName reports whether s is an identifier of a container as every runtime draws it: 64 hexadecimal digits, or 32,
// a dash and a number for a task of ECS.
func containerName(s string) bool {
	if task, number, ok := strings.Cut(s, "-"); ok {
		return len(task) == 32 && identifier(task) && digits(number)
	}
	return len(s) == 64 && identifier(s)
}
