package kernel

import (
	"bufio"
	"fmt"
	"io"
	"path"

	"golang.org/x/sys/unix"
)

// cpio writes an initramfs: an archive in the "newc" format of Documentation/driver-api/early-userspace/buffer-format.rst.
// Directories are written before what they hold. The first error sticks, and close returns it.
type cpio struct {
	w     *bufio.Writer
	size  int64
	inode int
	known map[string]bool
	err   error
}

func newCPIO(w io.Writer) *cpio {
	return &cpio{w: bufio.NewWriter(w), known: map[string]bool{".": true}}
}

// file adds a regular file and the directories above it. Names have no leading slash.
func (c *cpio) file(name string, mode uint32, content []byte) {
	c.directory(path.Dir(name))
	c.entry(name, unix.S_IFREG|mode, content)
}

func (c *cpio) directory(name string) {
	if c.known[name] {
		return
	}
	c.known[name] = true
	c.directory(path.Dir(name))
	c.entry(name, unix.S_IFDIR|0o755, nil)
}

// entry writes one header of thirteen hexadecimal fields, the name and the content, each padded to four bytes.
func (c *cpio) entry(name string, mode uint32, content []byte) {
	c.inode++
	fields := [13]int{c.inode, int(mode), 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0}
	c.write([]byte("070701"))
	for _, field := range fields {
		c.write(fmt.Appendf(nil, "%08X", field))
	}
	c.write(append([]byte(name), 0))
	c.pad()
	c.write(content)
	c.pad()
}

func (c *cpio) write(p []byte) {
	if c.err != nil {
		return
	}
	n, err := c.w.Write(p)
	c.size, c.err = c.size+int64(n), err
}

func (c *cpio) pad() { c.write(make([]byte, (4-c.size%4)%4)) }

func (c *cpio) close() error {
	c.entry("TRAILER!!!", 0, nil)
	if c.err != nil {
		return fmt.Errorf("write the initramfs: %w", c.err)
	}
	return c.w.Flush()
}
