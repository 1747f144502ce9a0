package process

import "strings"

// Workload names what a control group (cgroups(7)) runs, without the parts that differ from one instance to the next, so
// that the twentieth session or container has the name of the first:
//
//   - the systemd unit, without session numbers, template instances and random parts: "cron.service", "session.scope",
//     "run.service", "sshd@.service", "user@.service/app-firefox.scope"; the last slice if there is no other unit;
//   - for a container what runs containers: "docker", "podman", "kubepods", "ecs" …, and a unit inside it behind a slash
//     ("docker/nginx.service"). A control group tells no image and no pod owner; a caller that learns them puts them in
//     place of this answer;
//   - otherwise the path without the elements that are identifiers;
//   - "" for the root, or nothing known.
//
// The answer is Printable, at most MaxText bytes.
func Workload(cgroup string) string {
	elements := split(cgroup)
	if at, c, ok := lastContainer(elements); ok {
		name := c.manager
		if unit := lastUnit(elements[at+1:]); unit != "" {
			name += "/" + withoutInstance(unit)
		}
		return Printable(name, MaxText)
	}
	if unit := lastUnit(elements); unit != "" {
		name := withoutInstance(unit)
		if manager := userManager(elements); manager != "" && manager != name {
			name = manager + "/" + name
		}
		return Printable(name, MaxText)
	}
	var kept []string
	for _, e := range elements {
		if strings.HasSuffix(e, ".slice") {
			e = withoutInstance(e)
		}
		if !identifier(e) {
			kept = append(kept, e)
		}
	}
	if len(kept) == 0 {
		return ""
	}
	if last := kept[len(kept)-1]; strings.HasSuffix(last, ".slice") {
		return Printable(last, MaxText)
	}
	return Printable("/"+strings.Join(kept, "/"), MaxText)
}

// SystemdUnit returns the systemd unit the control group belongs to, with its instance parts, as systemctl(1) knows it:
// the innermost one of the host or of a user's manager, not one inside a container. "" if there is none.
func SystemdUnit(cgroup string) string {
	elements := split(cgroup)
	if at, _, ok := firstContainer(elements); ok {
		elements = elements[:at+1]
	}
	return Printable(lastUnit(elements), MaxText)
}

// split returns the elements of a control group path; ".." of another cgroup namespace is no element.
func split(cgroup string) []string {
	if len(cgroup) > MaxText {
		cgroup = cgroup[:MaxText]
	}
	return strings.FieldsFunc(cgroup, func(r rune) bool { return r == '/' })
}

// lastUnit returns the innermost element that is a unit with processes of its own: a service, a scope, or the rarer mount,
// socket and swap, systemd.unit(5). Slices only group units.
func lastUnit(elements []string) string {
	for i := len(elements) - 1; i >= 0; i-- {
		for _, suffix := range [...]string{".service", ".scope", ".mount", ".socket", ".swap"} {
			if strings.HasSuffix(elements[i], suffix) && len(elements[i]) > len(suffix) {
				return elements[i]
			}
		}
	}
	return ""
}

// userManager returns "user@.service" for what a user's own manager runs.
func userManager(elements []string) string {
	for _, e := range elements {
		if strings.HasPrefix(e, "user@") && strings.HasSuffix(e, ".service") {
			return "user@.service"
		}
	}
	return ""
}
