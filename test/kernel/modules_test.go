package kernel

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os/exec"
	"path"
	"strings"
)

// modules are a kernel's modules by name, each as it lies in the package, and the names of those it has built in.
type modules struct {
	files   map[string]packed
	builtin map[string]bool
}

// packed is a module's file, perhaps compressed, as its name's ending says.
type packed struct {
	file    string
	content []byte
}

// module is one to be loaded.
type module struct {
	name    string
	content []byte
}

// moduleName turns the name of a file into the module's.
func moduleName(file string) string {
	name, _, _ := strings.Cut(path.Base(file), ".ko")
	return strings.ReplaceAll(name, "-", "_")
}

// order returns the wanted modules and all they depend on, each after what it depends on. What the kernel has built in is
// left out. A module the package does not have is an error.
func (m modules) order(wanted ...string) ([]module, error) {
	var found []module
	seen := map[string]bool{}
	var visit func(name string) error
	visit = func(name string) error {
		if seen[name] || m.builtin[name] {
			return nil
		}
		seen[name] = true
		file, ok := m.files[name]
		if !ok {
			return fmt.Errorf("this kernel has no module %s", name)
		}
		content, err := file.unpack()
		if err != nil {
			return err
		}
		needs, err := dependencies(content)
		if err != nil {
			return fmt.Errorf("%s: %w", file.file, err)
		}
		for _, need := range needs {
			if err := visit(need); err != nil {
				return fmt.Errorf("%s depends on %s: %w", name, need, err)
			}
		}
		found = append(found, module{name, content})
		return nil
	}
	for _, name := range wanted {
		if err := visit(name); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (p packed) unpack() ([]byte, error) {
	if !strings.HasSuffix(p.file, ".xz") {
		return p.content, nil
	}
	cmd := exec.Command("xz", "--decompress", "--stdout")
	cmd.Stdin = bytes.NewReader(p.content)
	content, err := output(cmd)
	return []byte(content), err
}

// dependencies reads what depmod(8) would: the "depends=" of a module's .modinfo section.
func dependencies(module []byte) ([]string, error) {
	file, err := elf.NewFile(bytes.NewReader(module))
	if err != nil {
		return nil, fmt.Errorf("read a module: %w", err)
	}
	section := file.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("read a module: it has no .modinfo")
	}
	info, err := section.Data()
	if err != nil {
		return nil, fmt.Errorf("read a module: %w", err)
	}
	for entry := range strings.SplitSeq(string(info), "\x00") {
		if names, ok := strings.CutPrefix(entry, "depends="); ok && names != "" {
			return strings.Split(strings.ReplaceAll(names, "-", "_"), ","), nil
		}
	}
	return nil, nil
}
