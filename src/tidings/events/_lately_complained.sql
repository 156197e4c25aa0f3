-- Sends that somebody complained about lately, with all their complaints.
-- $1 since when
SELECT r.workspace_id, r.send_id, sum(r.uniques)::bigint AS complained
FROM (SELECT DISTINCT workspace_id, send_id FROM rollups WHERE type = 'complained' AND agent = '' AND hour >= date_trunc('hour', $1::timestamptz)) AS lately
JOIN rollups AS r USING (workspace_id, send_id)
WHERE r.type = 'complained' AND r.agent = ''
GROUP BY r.workspace_id, r.send_id
