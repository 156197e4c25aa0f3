-- The contacts of the staged rows that were known before and are on one of the lists not yet.
-- $1 workspace, $2 lists
SELECT c.id
FROM import_rows AS r
CROSS JOIN LATERAL (
    SELECT id, email FROM contacts WHERE workspace_id = $1 AND email >= r.email ORDER BY email LIMIT 1
) AS c
WHERE c.email = r.email AND r.status IS DISTINCT FROM 'unlisted' AND EXISTS (
    SELECT FROM unnest($2::bigint[]) AS l (id)
    WHERE NOT EXISTS (
        SELECT FROM subscriptions AS b WHERE b.workspace_id = $1 AND b.list_id = l.id AND b.contact_id = c.id))
