-- Cases for a SIEM: one row with one stable case_id for each signature and host, with opened, updated and closed.
SELECT case_id, state, severity, opened, updated, closed, closed_by, queries, host, alert_id, signature
FROM beacon_cases
ORDER BY updated, case_id
