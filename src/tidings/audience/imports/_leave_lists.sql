-- Staged people have left the lists of these names, whether they are on them or not. The lists and the people are locked before.
-- $1 workspace, $2 now
INSERT INTO subscriptions AS b (workspace_id, list_id, contact_id, status, subscribed_at, unsubscribed_at)
SELECT $1, l.id, c.id, 'unsubscribed', $2, $2
FROM import_rows AS r
CROSS JOIN LATERAL (  -- see _new.sql
    SELECT id, email FROM contacts WHERE workspace_id = $1 AND email >= r.email ORDER BY email LIMIT 1
) AS c
JOIN lists AS l ON l.workspace_id = $1 AND l.name = ANY (r.left_lists)
WHERE c.email = r.email
ON CONFLICT (workspace_id, list_id, contact_id) DO UPDATE SET status = 'unsubscribed', unsubscribed_at = $2
WHERE b.status <> 'unsubscribed'
RETURNING b.contact_id
