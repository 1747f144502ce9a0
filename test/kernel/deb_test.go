package kernel

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"strings"
)

// image is a kernel taken out of its package. It is never installed.
type image struct {
	vmlinuz []byte
	modules modules
}

// unpackKernel reads a package of linux-image-*: the kernel, and of its modules those of the network.
func unpackKernel(deb string) (image, error) {
	cmd := exec.Command("dpkg-deb", "--fsys-tarfile", deb)
	files, err := cmd.StdoutPipe()
	if err != nil {
		return image{}, err
	}
	if err := cmd.Start(); err != nil {
		return image{}, err
	}
	img, err := readKernel(files)
	_, rest := io.Copy(io.Discard, files)
	if err := errors.Join(err, rest, cmd.Wait()); err != nil {
		return image{}, fmt.Errorf("unpack %s: %w", deb, err)
	}
	return img, nil
}

func readKernel(files io.Reader) (image, error) {
	img := image{modules: modules{files: map[string]packed{}, builtin: map[string]bool{}}}
	for archive := tar.NewReader(files); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return img, err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		if err := img.take(header.Name, archive); err != nil {
			return img, err
		}
	}
	if img.vmlinuz == nil {
		return img, errors.New("no kernel in it")
	}
	return img, nil
}

// take keeps a file of the package if it is one of those that matter.
func (img *image) take(name string, content io.Reader) (err error) {
	switch {
	case strings.HasPrefix(path.Base(name), "vmlinuz-"):
		img.vmlinuz, err = io.ReadAll(content)
	case path.Base(name) == "modules.builtin":
		var list []byte
		list, err = io.ReadAll(content)
		for line := range strings.Lines(string(list)) {
			img.modules.builtin[moduleName(strings.TrimSpace(line))] = true
		}
	case strings.Contains(name, "/kernel/net/"), strings.Contains(name, "/kernel/drivers/net/veth.ko"),
		strings.Contains(name, "crc32c"):
		file := packed{file: name}
		file.content, err = io.ReadAll(content)
		img.modules.files[moduleName(name)] = file
	}
	return err
}
