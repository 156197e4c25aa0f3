-- New contacts for events of people we do not know, with the status that a suppression of the address gives.
-- $1 workspace, $2 addresses, $3 hashes, $4 now
INSERT INTO contacts (workspace_id, email, address_hash, status, created_at, updated_at)
SELECT $1, t.email, t.address_hash,
       coalesce(CASE WHEN s.reason = 'manual' THEN 'unsubscribed' ELSE s.reason::text END::contact_status, 'active'), $4, $4
FROM unnest($2::text[], $3::bytea[]) AS t (email, address_hash)
LEFT JOIN suppressions AS s ON s.workspace_id = $1 AND s.address_hash = t.address_hash
ORDER BY t.email
ON CONFLICT (workspace_id, email) DO NOTHING
RETURNING id
