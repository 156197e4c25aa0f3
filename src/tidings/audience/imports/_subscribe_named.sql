-- Put the staged people on the lists that their rows name. As in _subscribe.sql: who left, or is suppressed for a list, is noted as
-- having left it, and who stands somewhere with a list stays as they are. The lists and the people are locked before.
-- $1 workspace, $2 now
INSERT INTO subscriptions (workspace_id, list_id, contact_id, status, subscribed_at, unsubscribed_at)
SELECT $1, c.list_id, c.id,
       CASE WHEN c.is_out THEN 'unsubscribed' ELSE 'subscribed' END::subscription_status,
       $2,
       CASE WHEN c.is_out THEN $2::timestamptz END
FROM (
    SELECT k.id, l.id AS list_id,
           k.status >= 'unsubscribed' OR EXISTS (
               SELECT FROM list_suppressions AS s
               WHERE s.workspace_id = $1 AND s.list_id = l.id AND s.address_hash = k.address_hash) AS is_out
    FROM import_rows AS r
    CROSS JOIN LATERAL (  -- see _new.sql
        SELECT id, email, status, address_hash FROM contacts
        WHERE workspace_id = $1 AND email >= r.email ORDER BY email LIMIT 1
    ) AS k
    JOIN lists AS l ON l.workspace_id = $1 AND l.name = ANY (r.on_lists)
    WHERE k.email = r.email AND r.status IS DISTINCT FROM 'unlisted'
) AS c
ON CONFLICT (workspace_id, list_id, contact_id) DO NOTHING
