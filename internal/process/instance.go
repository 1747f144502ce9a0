package process

import "strings"

// withoutInstance takes the instance parts out of the name of a unit: what follows the @ of a template, and identifiers
// among the parts between dashes. Services are named by people, who mean the numbers in postgresql-14.service, so of these
// only long identifiers and the names of systemd-run(1) are shortened; scopes and slices are made by programs.
func withoutInstance(unit string) string {
	dot := strings.LastIndexByte(unit, '.')
	if dot < 0 {
		return unit
	}
	name, suffix := unit[:dot], unit[dot:]
	if template, _, ok := strings.Cut(name, "@"); ok {
		return join(template, busName) + "@" + suffix
	}
	instance := transient
	if suffix == ".service" && !strings.HasPrefix(name, "run-") {
		instance = identifier
	}
	name = join(withoutUUID(strings.ReplaceAll(name, `\x2d`, "-")), instance)
	if name == "" {
		name = "transient"
	}
	return name + suffix
}

// join puts the parts of a name that are no instances together again.
func join(name string, instance func(string) bool) string {
	var kept []string
	for part := range strings.SplitSeq(name, "-") {
		if part != "" && !instance(part) {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "-")
}

// busName reports whether part is the unique name of a D-Bus client (":1.42"), part of the units its activation starts.
func busName(part string) bool { return strings.HasPrefix(part, ":") }

// transient reports whether part of the name of a transient unit is its instance: a number ("4711"), a number behind one
// letter, as sessions (c3) and systemd-run (u123, p12, i34) count, a random number of systemd-run (r and 32 hexadecimal
// digits), or an identifier.
func transient(part string) bool {
	if identifier(part) || digits(part) {
		return true
	}
	return len(part) > 1 && strings.IndexByte("cruip", part[0]) >= 0 && (digits(part[1:]) || identifier(part[1:]))
}

// identifier reports whether s is a machine's name for one instance: a UUID, or 12 hexadecimal digits and more of which at
// least one is no letter, or one of these behind "pod". Shorter ones are too often words and versions.
func identifier(s string) bool {
	s = strings.TrimPrefix(s, "pod")
	if uuidAt(s) && len(s) == uuidLength {
		return true
	}
	if len(s) < 12 {
		return false
	}
	number := false
	for i := 0; i < len(s); i++ {
		if !hexDigit(s[i]) {
			return false
		}
		number = number || s[i] <= '9'
	}
	return number
}

// uuidLength is that of 8-4-4-4-12 hexadecimal digits, RFC 9562.
const uuidLength = 36

// withoutUUID takes UUIDs out of a name, with the dash or dot that leads to them.
func withoutUUID(name string) string {
	for i := 0; i+uuidLength <= len(name); i++ {
		if !uuidAt(name[i:]) {
			continue
		}
		head := strings.TrimRight(name[:i], "-.")
		return head + withoutUUID(name[i+uuidLength:])
	}
	return name
}

// uuidAt reports whether s begins with a UUID, its parts joined by dashes or, as in the slices of pods, underscores.
func uuidAt(s string) bool {
	if len(s) < uuidLength {
		return false
	}
	for i := 0; i < uuidLength; i++ {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' && s[i] != '_' {
				return false
			}
		default:
			if !hexDigit(s[i]) {
				return false
			}
		}
	}
	return true
}

func hexDigit(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' }

// digits reports whether s is a decimal number.
func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
