-- Put the staged people on the list. Runs after the merge has locked them, so it sees who left meanwhile: they are noted as
-- having left this list too. Whoever is on the list, or left it, stays as they are.
-- $1 workspace, $2 list, $3 now
INSERT INTO subscriptions (workspace_id, list_id, contact_id, status, subscribed_at, unsubscribed_at)
SELECT $1, $2, c.id,
       CASE WHEN c.status >= 'unsubscribed' THEN 'unsubscribed' ELSE 'subscribed' END::subscription_status,
       $3,
       CASE WHEN c.status >= 'unsubscribed' THEN $3::timestamptz END
FROM import_rows AS r
CROSS JOIN LATERAL (  -- OFFSET 0 keeps it one index lookup a row, whatever the statistics say
    SELECT id, status FROM contacts WHERE workspace_id = $1 AND email = r.email OFFSET 0
) AS c
ORDER BY c.id
ON CONFLICT (workspace_id, list_id, contact_id) DO NOTHING
