-- Put contacts on a list, and say what became of each: added, already (on it), refused (they left, or their address is
-- suppressed on this list: then they are noted as having left it). The list is locked before (FOR KEY SHARE).
-- $1 workspace, $2 list, $3 contacts, $4 now
WITH target AS (
    SELECT c.id, c.status, b.status AS subscription, s.address_hash IS NOT NULL AS suppressed
    FROM contacts AS c
    LEFT JOIN subscriptions AS b ON b.workspace_id = $1 AND b.list_id = $2 AND b.contact_id = c.id
    LEFT JOIN list_suppressions AS s ON s.workspace_id = $1 AND s.list_id = $2 AND s.address_hash = c.address_hash
    WHERE c.workspace_id = $1 AND c.id = ANY ($3::bigint[])
),
fresh AS (
    INSERT INTO subscriptions (workspace_id, list_id, contact_id, status, subscribed_at, unsubscribed_at)
    SELECT $1, $2, id, CASE WHEN suppressed THEN 'unsubscribed' ELSE 'subscribed' END::subscription_status, $4,
           CASE WHEN suppressed THEN $4::timestamptz END
    FROM target
    WHERE subscription IS NULL AND status < 'unsubscribed'
    ORDER BY id
    ON CONFLICT DO NOTHING
)
SELECT id,
       CASE
           WHEN subscription = 'unsubscribed' OR status >= 'unsubscribed' OR suppressed THEN 'refused'
           WHEN subscription IS NULL THEN 'added'
           ELSE 'already'
       END AS outcome
FROM target
ORDER BY id
