#!/usr/bin/env bash
# screenshots.sh: the pictures of the README, from a real run of the demo: the report in Chromium, and top in a terminal. Run from the
# top of the tree after make build; wants root, tmux, Chromium and Node.js.
set -euo pipefail
binary=build/beaconwatch.ext
shots=build/screenshots
images=packs/images
mkdir -p "$shots" "$images"
(cd test/report && npm install --no-package-lock --no-audit --no-fund --silent)

"$binary" demo --for 45s >"$shots/demo.txt" &
demo=$!
tmux -L beaconwatch-shots new-session -d -x 110 -y 24 "$binary top --own_sensor --include loopback"
"$binary" report --own_sensor --include loopback --for 38s --limit 3 -o "$shots/report.html"
tmux -L beaconwatch-shots capture-pane -p >"$shots/top.txt"
tmux -L beaconwatch-shots kill-session
wait "$demo"
CHROMIUM=${CHROMIUM:-/usr/bin/chromium} node test/report/shoot.mjs "$shots" "$images"
ls -l "$images"
