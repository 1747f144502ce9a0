#!/bin/sh
set -e
# deb says configure, rpm a number
case ${1-} in
configure | 1 | 2) ;;
*) exit 0 ;;
esac
install -d -m 0700 /var/lib/beaconwatch
/usr/lib/beaconwatch/mode apply
if [ -d /run/systemd/system ] && systemctl is-active --quiet beaconwatch.service; then
	systemctl restart beaconwatch.service # after an upgrade; histories are kept
fi
