#!/bin/sh
set -e
# an upgrade is no removal: deb says upgrade, rpm 1
case ${1-} in
remove | 0) ;;
*) exit 0 ;;
esac
settings=$(/usr/lib/beaconwatch/mode)
/usr/lib/beaconwatch/mode off
sed -i "s/^MODE=.*/MODE=$settings/" /etc/default/beaconwatch # installed again, it runs as it ran
