-- beaconwatch: the sensor is healthy
--
-- pack: policy
-- attack: T1562.001
-- references:
--   * https://attack.mitre.org/techniques/T1562/001/
-- tags: health, policy
-- platform: linux
-- false positives:
--   * hosts whose kernel or seccomp profile grants no more than level proc
-- value: Passes where the sensor sees payload sizes, reads its inventory, and fewer than half of the sends lack a process.
-- resolution: Run beaconwatch.ext doctor on the host; it says in sentences what is refused and what to do.
SELECT 1
FROM beacon_sensor_status
WHERE level NOT IN ('proc', 'none')
  AND coalesce(inventory_error, '') = ''
  AND unattributed_sends * 2 <= send_events;
