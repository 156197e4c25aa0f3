-- Put contacts on a list, and say what became of each: added, already (on it), refused (they left).
-- $1 workspace, $2 list, $3 contacts, $4 now
WITH target AS (
    SELECT c.id, c.status, b.status AS subscription
    FROM contacts AS c
    LEFT JOIN subscriptions AS b ON b.workspace_id = $1 AND b.list_id = $2 AND b.contact_id = c.id
    WHERE c.workspace_id = $1 AND c.id = ANY ($3::bigint[])
),
fresh AS (
    INSERT INTO subscriptions (workspace_id, list_id, contact_id, status, subscribed_at)
    SELECT $1, $2, id, 'subscribed', $4 FROM target WHERE subscription IS NULL AND status < 'unsubscribed' ORDER BY id
    ON CONFLICT DO NOTHING
)
SELECT id,
       CASE
           WHEN subscription = 'unsubscribed' OR status >= 'unsubscribed' THEN 'refused'
           WHEN subscription IS NULL THEN 'added'
           ELSE 'already'
       END AS outcome
FROM target
ORDER BY id
