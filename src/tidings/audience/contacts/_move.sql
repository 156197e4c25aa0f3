-- After an address change: a bounce belonged to the old address, a wish to be left alone belongs to the person, and a
-- suppression of the new address counts as for anyone else.
-- $1 workspace, $2 contact, $3 now
WITH moved AS (
    SELECT c.id, c.email, c.address_hash, s.reason,
           CASE WHEN c.status >= 'unsubscribed' THEN c.status ELSE 'active' END AS wish
    FROM contacts AS c
    LEFT JOIN suppressions AS s ON s.workspace_id = $1 AND s.address_hash = c.address_hash
    WHERE c.workspace_id = $1 AND c.id = $2
),
kept AS (
    INSERT INTO suppressions AS s (workspace_id, address_hash, address, reason, detail, source, created_at)
    SELECT $1, address_hash, email, wish::text::suppression_reason, 'left under an earlier address', 'address_change', $3
    FROM moved
    WHERE wish <> 'active'
    ON CONFLICT (workspace_id, address_hash) DO UPDATE SET reason = excluded.reason
    WHERE s.reason < excluded.reason
),
off AS (  -- lists that the new address is suppressed on
    UPDATE subscriptions AS b SET status = 'unsubscribed', unsubscribed_at = $3
    FROM moved AS m
    JOIN list_suppressions AS s ON s.workspace_id = $1 AND s.address_hash = m.address_hash
    WHERE b.workspace_id = $1 AND b.contact_id = m.id AND b.list_id = s.list_id AND b.status <> 'unsubscribed'
)
UPDATE contacts AS c
SET status = greatest(
        m.wish,
        CASE WHEN m.reason = 'manual' THEN 'unsubscribed' ELSE coalesce(m.reason::text, 'active') END::contact_status
    )
FROM moved AS m
WHERE c.workspace_id = $1 AND c.id = m.id
