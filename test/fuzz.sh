#!/usr/bin/env bash
# fuzz.sh TIME: every fuzz target for so long, two at a time. Each package is instrumented and linked once. What a target finds is left
# in its testdata/fuzz, as `go test -fuzz` does. Run from the top of the tree.
set -euo pipefail
time=$1
go=${GO:-go}
out=$PWD/build/fuzz
mkdir -p "$out/cache"
: >"$out/targets"
"$go" list -f '{{.Dir}} {{.ImportPath}}' ./internal/... ./extension/... | while read -r dir pkg; do
  targets=$(grep -hos '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go | cut -c6- || true)
  [ -n "$targets" ] || continue
  binary=$out/$(echo "$pkg" | tr / _).test
  "$go" test -c -fuzz=. -o "$binary" "$pkg"
  for target in $targets; do echo "$dir $binary $target $pkg" >>"$out/targets"; done
done

one() { # DIR BINARY TARGET PACKAGE
  log=$out/$3.$$.log
  if (cd "$1" && "$2" -test.run '^$' -test.fuzz "^$3\$" -test.fuzztime "$time" -test.fuzzminimizetime 10x -test.parallel 1 \
    -test.fuzzcachedir "$out/cache/$4" -test.timeout 5m) >"$log" 2>&1; then
    echo "fuzz $4 $3: ok"
    rm -f "$log"
  else
    echo "fuzz $4 $3: FAILED"
    cat "$log"
    return 1
  fi
}
export -f one
export out time
xargs -P 2 -L 1 bash -c 'one "$@"' one <"$out/targets"
