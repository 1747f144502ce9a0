package enrichment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"strconv"
)

// Tags and types of an rpm header that matter here (rpmtag.h); numbers are big-endian.
const (
	rpmName         = 1000
	rpmVersion      = 1001
	rpmRelease      = 1002
	rpmEpoch        = 1003
	rpmFileModes    = 1030
	rpmFileDigests  = 1035
	rpmDirIndexes   = 1116
	rpmBaseNames    = 1117
	rpmDirNames     = 1118
	rpmDigestMethod = 5011

	rpmInt16       = 3
	rpmInt32       = 4
	rpmString      = 6
	rpmStringArray = 8
)

var errHeader = errors.New("malformed rpm header")

// rpmMethods are the digest algorithms by their numbers (RFC 4880, section 9.4). A package that does not say uses MD5.
var rpmMethods = map[uint32]string{1: "md5", 2: "sha1", 8: "sha256", 9: "sha384", 10: "sha512", 11: "sha224"}

// rpmHeader is the header of one installed package: numbers of entries and of bytes of data, an index of entries, and the
// data they point to. It borrows from the text.
type rpmHeader struct {
	entries map[uint32]rpmEntry
	data    []byte
}

type rpmEntry struct{ kind, offset, count uint32 }

// parseRPMHeader decodes a header as databases hold it. Of a tag that stands twice the first counts.
func parseRPMHeader(text []byte) (rpmHeader, error) {
	const fixed, size = 8, 16
	if len(text) < fixed {
		return rpmHeader{}, errHeader
	}
	count, bytes := uint64(binary.BigEndian.Uint32(text)), uint64(binary.BigEndian.Uint32(text[4:]))
	if fixed+count*size+bytes > uint64(len(text)) {
		return rpmHeader{}, errHeader
	}
	h := rpmHeader{entries: make(map[uint32]rpmEntry), data: text[fixed+count*size:][:bytes]}
	for index := text[fixed:]; count > 0; count-- {
		tag := binary.BigEndian.Uint32(index)
		e := rpmEntry{binary.BigEndian.Uint32(index[4:]), binary.BigEndian.Uint32(index[8:]), binary.BigEndian.Uint32(index[12:])}
		if _, twice := h.entries[tag]; !twice && uint64(e.offset) <= bytes {
			h.entries[tag] = e
		}
		index = index[size:]
	}
	return h, nil
}

// text returns a string, "" without one.
func (h rpmHeader) text(tag uint32) string {
	for s := range h.texts(tag) {
		return string(s)
	}
	return ""
}

// texts returns the strings of an entry; as many as there are, if it says that there are more.
func (h rpmHeader) texts(tag uint32) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		e := h.entries[tag]
		if e.kind != rpmString && e.kind != rpmStringArray {
			return
		}
		for rest := h.data[e.offset:]; e.count > 0; e.count-- {
			s, more, ok := bytes.Cut(rest, []byte{0})
			if !ok || !yield(s) {
				return
			}
			rest = more
		}
	}
}

// number returns the i-th number of an entry of 16 or 32 bits.
func (h rpmHeader) number(tag uint32, i int) (uint32, bool) {
	e, ok := h.entries[tag]
	size := map[uint32]int{rpmInt16: 2, rpmInt32: 4}[e.kind]
	at := int(e.offset) + i*size
	switch {
	case !ok || size == 0 || i < 0 || uint64(i) >= uint64(e.count) || at+size > len(h.data):
		return 0, false
	case size == 2:
		return uint32(binary.BigEndian.Uint16(h.data[at:])), true
	}
	return binary.BigEndian.Uint32(h.data[at:]), true
}

// version is [epoch:]version-release.
func (h rpmHeader) version() string {
	v := h.text(rpmVersion) + "-" + h.text(rpmRelease)
	if epoch, ok := h.number(rpmEpoch, 0); ok {
		v = strconv.FormatUint(uint64(epoch), 10) + ":" + v
	}
	return v
}

// method is the algorithm of the digests, "" for one that is not known.
func (h rpmHeader) method() string {
	if n, ok := h.number(rpmDigestMethod, 0); ok {
		return rpmMethods[n]
	}
	return "md5"
}

// rpmListed is a file of a package.
type rpmListed struct {
	path, digest string
	mode         uint32
}

// files calls yield for each file of the package.
func (h rpmHeader) files(yield func(rpmListed)) error {
	var dirs [][]byte
	for d := range h.texts(rpmDirNames) {
		dirs = append(dirs, d)
	}
	nextDigest, stop := iter.Pull(h.texts(rpmFileDigests))
	defer stop()
	i := 0
	for base := range h.texts(rpmBaseNames) {
		dir, ok := h.number(rpmDirIndexes, i)
		if !ok || uint64(dir) >= uint64(len(dirs)) {
			return fmt.Errorf("%w: file %d of %s has no directory", errHeader, i, h.text(rpmName))
		}
		digest, _ := nextDigest()
		mode, _ := h.number(rpmFileModes, i)
		yield(rpmListed{path: string(dirs[dir]) + string(base), digest: string(digest), mode: mode})
		i++
	}
	return nil
}
