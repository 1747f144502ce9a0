package kernel

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSourcesForTheReleaseAndItsNeighbours(t *testing.T) {
	const targets = "bookworm-security http://s.example/\nbookworm http://a.example/debian/\nnodistro http://n.example/\n"
	got, err := sourcesFor("ID=debian\nVERSION_CODENAME=bookworm\n", targets)
	require.NoError(t, err)
	require.Equal(t, []string{
		"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://a.example/debian/ bookworm main",
		"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://a.example/debian/ bookworm-backports main",
		"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://a.example/debian/ bullseye main",
	}, strings.Split(strings.TrimSpace(got), "\n"))
	_, err = sourcesFor("VERSION_CODENAME=sid\n", targets)
	require.Error(t, err)
	_, err = sourcesFor("", " http://a.example/\n")
	require.Error(t, err, "a release without a codename")
}

func TestKernelsOldestFirst(t *testing.T) {
	got, err := kernelsIn(`Package: linux-image-amd64
Version: 6.12.95-1~bpo12+1
Depends: linux-image-6.12.95+deb12-amd64 (= 6.12.95-1~bpo12+1)
Description: meta
 Depends: not this

Package: linux-image-amd64
Version: 6.1.176-1
Depends: linux-image-6.1.0-50-amd64 (= 6.1.176-1)
`)
	require.NoError(t, err)
	require.Equal(t, []offer{{"linux-image-6.1.0-50-amd64", "6.1.176-1"},
		{"linux-image-6.12.95+deb12-amd64", "6.12.95-1~bpo12+1"}}, got)
	_, err = kernelsIn("Package: linux-image-amd64\nDepends:\n")
	require.Error(t, err)
}

func TestInitramfsIsNewc(t *testing.T) {
	var b bytes.Buffer
	c := newCPIO(&b)
	c.file("a/b", 0o755, []byte("hello"))
	require.NoError(t, c.close())
	entry := func(inode, mode, size, name string) string {
		return "070701" + inode + mode + "0000000000000000" + "00000001" + "00000000" + size +
			"00000000000000000000000000000000" + name + "00000000"
	}
	require.Equal(t, entry("00000001", "000041ED", "00000000", "00000002")+"a\x00"+
		entry("00000002", "000081ED", "00000005", "00000004")+"a/b\x00\x00\x00hello\x00\x00\x00"+
		entry("00000003", "00000000", "00000000", "0000000B")+"TRAILER!!!\x00\x00\x00\x00", b.String())
}

func TestModulesFollowWhatTheyDependOn(t *testing.T) {
	m := modules{files: map[string]packed{}, builtin: map[string]bool{"unix": true}}
	for name, depends := range map[string]string{"tcp_diag": "inet-diag", "udp_diag": "udp_tunnel,inet-diag", "inet_diag": "unix",
		"udp_tunnel": "", "orphan": "nothing"} {
		m.files[name] = packed{name + ".ko", moduleFile(t, "license=GPL\x00depends="+depends+"\x00name="+name+"\x00")}
	}
	got, err := m.order("tcp_diag", "udp_diag", "unix")
	require.NoError(t, err)
	var names []string
	for _, mod := range got {
		names = append(names, mod.name)
	}
	require.Equal(t, []string{"inet_diag", "tcp_diag", "udp_tunnel", "udp_diag"}, names)
	_, err = m.order("orphan")
	require.ErrorContains(t, err, "no module nothing")
	_, err = dependencies([]byte("\x7fELF"))
	require.Error(t, err)
}

// moduleFile is the least ELF file that has a .modinfo section.
func moduleFile(t *testing.T, modinfo string) []byte {
	const header, names = 64, "\x00.modinfo\x00.shstrtab\x00"
	table := header + len(modinfo) + len(names)
	var b bytes.Buffer
	for _, part := range []any{
		elf.Header64{Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
			Type: uint16(elf.ET_REL), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT), Shoff: uint64(table),
			Ehsize: header, Shentsize: 64, Shnum: 3, Shstrndx: 2},
		[]byte(modinfo), []byte(names), elf.Section64{},
		elf.Section64{Name: 1, Type: uint32(elf.SHT_PROGBITS), Off: header, Size: uint64(len(modinfo))},
		elf.Section64{Name: 10, Type: uint32(elf.SHT_STRTAB), Off: uint64(header + len(modinfo)), Size: uint64(len(names))},
	} {
		require.NoError(t, binary.Write(&b, binary.LittleEndian, part))
	}
	return b.Bytes()
}

func TestKernelOutOfItsPackage(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range [][2]string{{"./boot/vmlinuz-6.1.0-50-amd64", "kernel"}, {"./boot/config-6.1.0-50-amd64", "config"},
		{"./lib/modules/6.1.0-50-amd64/modules.builtin", "kernel/net/unix/unix.ko\nkernel/net/ipv6/ip6-x.ko\n"},
		{"./lib/modules/6.1.0-50-amd64/kernel/net/ipv4/tcp_diag.ko", "tcp"},
		{"./usr/lib/modules/6.1.0-50-amd64/kernel/drivers/net/veth.ko.xz", "veth"},
		{"./lib/modules/6.1.0-50-amd64/kernel/drivers/gpu/drm/drm.ko", "not wanted"}} {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: f[0], Mode: 0o644, Size: int64(len(f[1]))}))
		_, err := w.Write([]byte(f[1]))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	img, err := readKernel(&b)
	require.NoError(t, err)
	require.Equal(t, "kernel", string(img.vmlinuz))
	require.Equal(t, map[string]bool{"unix": true, "ip6_x": true}, img.modules.builtin)
	require.Len(t, img.modules.files, 2)
	require.Equal(t, "tcp", string(img.modules.files["tcp_diag"].content))
	require.Contains(t, img.modules.files, "veth")
	_, err = readKernel(bytes.NewReader(nil))
	require.ErrorContains(t, err, "no kernel")
}
