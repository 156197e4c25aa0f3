-- The numbers of recipients that are named by their address alone. $1 workspace, $2 sends, $3 addresses: one element each
SELECT t.send_id, t.address, d.n
FROM unnest($2::bigint[], $3::text[]) AS t (send_id, address)
JOIN contacts AS c ON c.workspace_id = $1 AND c.email = t.address
JOIN deliveries AS d ON d.workspace_id = $1 AND d.contact_id = c.id AND d.send_id = t.send_id
