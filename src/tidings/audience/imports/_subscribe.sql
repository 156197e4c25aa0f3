-- Put the staged people on the list. Runs after those known before were locked, so it sees who left meanwhile: they, and whoever
-- is suppressed for this list, are noted as having left it. Whoever is on the list, or left it, stays as they are.
-- $1 workspace, $2 list, $3 now
INSERT INTO subscriptions (workspace_id, list_id, contact_id, status, subscribed_at, unsubscribed_at)
SELECT $1, $2, c.id,
       CASE WHEN c.is_out THEN 'unsubscribed' ELSE 'subscribed' END::subscription_status,
       $3,
       CASE WHEN c.is_out THEN $3::timestamptz END
FROM import_rows AS r
CROSS JOIN LATERAL (  -- see _new.sql
    SELECT k.id, k.email,
           k.status >= 'unsubscribed' OR EXISTS (
               SELECT FROM list_suppressions AS s
               WHERE s.workspace_id = $1 AND s.list_id = $2 AND s.address_hash = k.address_hash) AS is_out
    FROM contacts AS k WHERE k.workspace_id = $1 AND k.email >= r.email ORDER BY k.email LIMIT 1
) AS c
WHERE c.email = r.email AND r.status IS DISTINCT FROM 'unlisted'
ON CONFLICT (workspace_id, list_id, contact_id) DO NOTHING
