#!/usr/bin/env bash
# build.sh VERSION COMMIT OUT: deb and rpm for amd64 and arm64, an SBOM for each, and checksums, in OUT. Equal sources make
# equal bytes: nothing of the clock, the machine or the path goes in. Run from the top of the tree.
set -euo pipefail
version=$1 commit=$2 out=$3
go=${GO:-go}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export CGO_ENABLED=0 TZ=UTC LC_ALL=C

tools=$PWD/build/tools
mkdir -p "$tools" "$out"
(cd extension/packaging/tools && "$go" build -trimpath -buildvcs=false -o "$tools/" github.com/goreleaser/nfpm/v2/cmd/nfpm \
	github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod)

compile() { # compile ARCH: the static binary of an architecture
	GOOS=linux GOARCH=$1 "$go" build -trimpath -buildvcs=false \
		-ldflags "-s -w -X main.version=$version -X main.commit=$commit" -o "build/linux_$1/beaconwatch.ext" ./extension
}

compile "$("$go" env GOHOSTARCH)"
native=build/linux_$("$go" env GOHOSTARCH)/beaconwatch.ext
rm -rf build/generated
mkdir -p build/generated
cp -R packs build/generated/packs
find build/generated/packs -name '*.go' -delete
chmod -R u=rwX,go=rX build/generated/packs
"$native" manual | gzip -9n >build/generated/beaconwatch.ext.8.gz
"$native" completion bash >build/generated/completion.bash
"$native" completion zsh >build/generated/completion.zsh
"$native" completion fish >build/generated/completion.fish

for arch in amd64 arm64; do
	compile "$arch"
	"$tools/cyclonedx-gomod" bin -json -std -noserial -notimestamp -version "v$version" \
		-output "build/generated/beaconwatch.cdx.json" "build/linux_$arch/beaconwatch.ext" 2>/dev/null
	cp build/generated/beaconwatch.cdx.json "$out/beaconwatch_${version}_$arch.cdx.json"
	export PACKAGE_ARCH=$arch PACKAGE_VERSION=$version
	for kind in deb rpm; do
		"$tools/nfpm" package --config extension/packaging/nfpm.yaml --packager "$kind" \
			--target "$out/beaconwatch_${version}_$arch.$kind" >/dev/null
	done
done
(cd "$out" && sha256sum -- *.deb *.rpm *.cdx.json >SHA256SUMS)
cat "$out/SHA256SUMS"
