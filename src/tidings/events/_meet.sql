-- A row for each delivery that did something for the first time, to be locked and counted by _count.sql.
-- In order of the key, so that two writers never wait for each other crosswise.
-- $1 workspaces, $2 sends, $3 n, $4 contacts: one element an event
INSERT INTO engagements (workspace_id, send_id, n, contact_id)
SELECT workspace_id, send_id, n, max(contact_id)
FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::bigint[]) AS t (workspace_id, send_id, n, contact_id)
GROUP BY workspace_id, send_id, n
ORDER BY workspace_id, send_id, n
ON CONFLICT (workspace_id, send_id, n) DO NOTHING
