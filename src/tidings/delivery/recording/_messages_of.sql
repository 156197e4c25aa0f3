-- Whom deliveries of rolling sends went to. $1 workspaces, $2 sends, $3 n: one element a delivery
SELECT m.workspace_id, m.send_id, m.n, m.contact_id, m.address_hash
FROM unnest($1::bigint[], $2::bigint[], $3::integer[]) AS t (workspace_id, send_id, n)
JOIN messages AS m ON m.workspace_id = t.workspace_id AND m.send_id = t.send_id AND m.n = t.n
