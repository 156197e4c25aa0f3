-- Lift suppressions, everywhere or on one list, and let their contacts back: a contact's status turns to active, a
-- subscription to what it was before, unless leaving was the person's own wish: subscriptions they left stay left.
-- The contacts are locked before.
-- $1 workspace, $2 suppressions, $3 now, $4 the contacts with these addresses
WITH gone AS (
    DELETE FROM suppressions WHERE workspace_id = $1 AND id = ANY ($2::bigint[]) RETURNING id, address_hash, reason
),
gone_from_lists AS (
    DELETE FROM list_suppressions WHERE workspace_id = $1 AND id = ANY ($2::bigint[])
    RETURNING id, list_id, address_hash, reason, before
),
back AS (
    UPDATE contacts AS c SET status = 'active', updated_at = $3
    FROM gone AS g
    WHERE c.workspace_id = $1 AND c.address_hash = g.address_hash AND c.status <> 'active'
      AND c.id = ANY ($4::bigint[])
    RETURNING c.id, g.id AS suppression
),
left_behind AS (  -- of a contact that was made while its owner left: their subscriptions must not come to life now
    UPDATE subscriptions AS b SET status = 'unsubscribed', unsubscribed_at = $3
    FROM gone AS g
    JOIN contacts AS c ON c.workspace_id = $1 AND c.address_hash = g.address_hash AND c.id = ANY ($4::bigint[])
    WHERE g.reason >= 'unsubscribed' AND b.workspace_id = $1 AND b.contact_id = c.id AND b.status <> 'unsubscribed'
),
stood AS (
    SELECT g.list_id, g.before, c.id AS contact_id
    FROM gone_from_lists AS g
    JOIN contacts AS c ON c.workspace_id = $1 AND c.address_hash = g.address_hash AND c.id = ANY ($4::bigint[])
    WHERE g.reason < 'unsubscribed'
),
forgotten AS (
    DELETE FROM subscriptions AS b USING stood AS t
    WHERE b.workspace_id = $1 AND b.list_id = t.list_id AND b.contact_id = t.contact_id AND b.status = 'unsubscribed'
      AND t.before IS NULL
),
restored AS (
    UPDATE subscriptions AS b SET status = t.before, unsubscribed_at = NULL
    FROM stood AS t
    WHERE b.workspace_id = $1 AND b.list_id = t.list_id AND b.contact_id = t.contact_id AND b.status = 'unsubscribed'
      AND t.before <> 'unsubscribed'
)
SELECT g.id, g.reason::text AS reason, NULL::bigint AS list_id, back.id AS contact
FROM gone AS g
LEFT JOIN back ON back.suppression = g.id
UNION ALL
SELECT id, reason::text, list_id, NULL FROM gone_from_lists
