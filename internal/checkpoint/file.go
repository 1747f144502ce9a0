// Package checkpoint brings what must survive a restart to disk and back: when programs, destinations and files were first
// seen. It decides only what to keep and how to keep it whole; a state file is written beside the old one and takes its
// place at once, and one that cannot be understood is set aside, never overwritten and never trusted.
package checkpoint

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Format names the contents of a state file.
type Format struct {
	// Kind tells one state file from another, at most 16 bytes of ASCII.
	Kind string
	// Version is that of what is written. Older ones are read, newer ones are not.
	Version uint32
	// Limit is the size up to which files are read and written, in bytes.
	Limit int64
}

// Layout of a state file: magic, kind, version (little-endian), contents, and the SHA-256 of all that.
const (
	// Magic is how every state file begins.
	Magic       = "bwstate\n"
	kindSize    = 16
	headerSize  = len(Magic) + kindSize + 4
	trailerSize = sha256.Size
)

// What may be wrong with a state file. It has then been set aside.
var (
	ErrDamaged = errors.New("the file is damaged")
	ErrNewer   = errors.New("the file was written by a later version")
)

// Write replaces the state file at path by what contents writes. If it fails, the old file is still there.
func (f Format) Write(path string, contents func(io.Writer) error) error {
	temporary := path + ".new"
	if err := f.write(temporary, contents); err != nil {
		_ = os.Remove(temporary) // what a failed write has left, if anything
		return fmt.Errorf("state file %s: %w", path, err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("state file: %w", err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("state file %s: %w", path, err)
	}
	return nil
}

// write makes a whole file and waits until it is on disk.
func (f Format) write(path string, contents func(io.Writer) error) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	sum := sha256.New()
	out := bufio.NewWriterSize(to, 64<<10)
	all := &limited{to: io.MultiWriter(out, sum), left: f.Limit - int64(trailerSize)}
	_, err = all.Write(f.header())
	if err == nil {
		err = contents(all)
	}
	if err == nil {
		_, err = out.Write(sum.Sum(nil))
	}
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = to.Sync()
	}
	return errors.Join(err, to.Close())
}

func (f Format) header() []byte {
	h := make([]byte, 0, headerSize)
	h = append(h, Magic...)
	h = append(h, f.Kind...)
	h = append(h, make([]byte, kindSize-len(f.Kind))...)
	return binary.LittleEndian.AppendUint32(h, f.Version)
}

// limited refuses to write a file that would not be read again.
type limited struct {
	to   io.Writer
	left int64
}

func (l *limited) Write(b []byte) (int, error) {
	if l.left -= int64(len(b)); l.left < 0 {
		return 0, errors.New("larger than its limit")
	}
	return l.to.Write(b)
}

// Read gives contents what the state file at path holds, and the version it was written by, after its checksum was found
// right. No file is an error that matches fs.ErrNotExist. A file that is damaged, was written by a later version, or that
// contents refuses is renamed, and the error, which matches ErrDamaged or ErrNewer, says to what.
func (f Format) Read(path string, contents func(version uint32, r io.Reader) error) error {
	version, err := f.peek(path, contents)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("state file: %w", err)
	case errors.Is(err, ErrNewer):
		return setAside(path, fmt.Sprintf("%s.version-%d", path, version), err)
	case errors.Is(err, ErrDamaged):
		return setAside(path, path+".damaged", err)
	}
	return fmt.Errorf("state file %s: %w", path, err)
}

// Peek is Read for a file of somebody else's: it stays as it is, whatever is wrong with it.
func (f Format) Peek(path string, contents func(version uint32, r io.Reader) error) error {
	if _, err := f.peek(path, contents); err != nil {
		return fmt.Errorf("state file %s: %w", path, err)
	}
	return nil
}

func (f Format) peek(path string, contents func(version uint32, r io.Reader) error) (version uint32, err error) {
	from, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return 0, err
	}
	defer from.Close()
	version, body, err := f.verify(from)
	if err == nil {
		if err = contents(version, bufio.NewReaderSize(body, 64<<10)); err != nil {
			err = fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	return version, err
}

// verify checks the frame of a state file and returns its version and contents.
func (f Format) verify(from *os.File) (uint32, io.Reader, error) {
	st, err := from.Stat()
	if err != nil {
		return 0, nil, err
	}
	size := st.Size() - int64(trailerSize)
	if !st.Mode().IsRegular() || st.Size() > f.Limit || size < int64(headerSize) {
		return 0, nil, fmt.Errorf("%w: %d bytes", ErrDamaged, st.Size())
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(from, 0, size)); err != nil {
		return 0, nil, err
	}
	var header [headerSize]byte
	var trailer [trailerSize]byte
	if _, err := from.ReadAt(header[:], 0); err != nil {
		return 0, nil, err
	}
	if _, err := from.ReadAt(trailer[:], size); err != nil {
		return 0, nil, err
	}
	version := binary.LittleEndian.Uint32(header[headerSize-4:])
	switch {
	case !bytes.Equal(sum.Sum(nil), trailer[:]):
		return 0, nil, fmt.Errorf("%w: its checksum is wrong", ErrDamaged)
	case !bytes.Equal(header[:headerSize-4], f.header()[:headerSize-4]):
		return 0, nil, fmt.Errorf("%w: it is no file of the kind %q", ErrDamaged, f.Kind)
	case version > f.Version:
		return version, nil, fmt.Errorf("%w, %d", ErrNewer, version)
	}
	return version, io.NewSectionReader(from, int64(headerSize), size-int64(headerSize)), nil
}

// setAside renames a file that is of no use now, in place of one set aside earlier.
func setAside(path, to string, why error) error {
	if err := os.Rename(path, to); err != nil {
		return fmt.Errorf("state file %s: %w; it cannot be set aside: %w", path, why, err)
	}
	return fmt.Errorf("state file %s: %w; kept as %s", path, why, to)
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
