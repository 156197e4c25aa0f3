-- A recipient of a campaign's send, as _fetch.sql has them, by the token of their message. Who was merged into another is the
-- other now; who was erased is no row.
-- $1 workspace, $2 send, $3 n, $4 the contact that the token names
SELECT d.n, d.contact_id, c.email, c.first_name, c.last_name, c.phone, c.language, c.time_zone, c.tags,
       c.attributes::text AS attributes, c.created_at
FROM deliveries AS d
LEFT JOIN contact_merges AS m ON m.workspace_id = d.workspace_id AND m.merged_id = d.contact_id
JOIN contacts AS c ON c.workspace_id = d.workspace_id AND c.id = coalesce(m.into_id, d.contact_id)
WHERE d.workspace_id = $1 AND d.send_id = $2 AND d.n = $3 AND d.contact_id = $4
