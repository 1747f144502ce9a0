#!/bin/sh
set -e
case ${1-} in
purge) rm -rf /var/lib/beaconwatch /run/beaconwatch ;;
remove | 0) rm -rf /run/beaconwatch ;;
esac
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
