-- What follows of suppressing addresses everywhere for one reason: their contacts get the status, and if it is their own wish,
-- leave their lists, and what keeps the addresses off one list only is then that wish, too. Returns the contacts whose status
-- changed. Contacts and suppressions are locked before.
-- $1 workspace, $2 contacts, $3 hashes, $4 reason, $5 now
WITH in_order AS MATERIALIZED (
    SELECT count(*) AS n
    FROM (SELECT FROM subscriptions
          WHERE workspace_id = $1 AND contact_id = ANY ($2::bigint[]) AND status <> 'unsubscribed'
            AND $4::text::suppression_reason >= 'unsubscribed'
          ORDER BY contact_id, list_id FOR UPDATE) AS locked
),
off AS (
    UPDATE subscriptions AS b
    SET status = 'unsubscribed', unsubscribed_at = $5
    WHERE b.workspace_id = $1 AND b.contact_id = ANY ($2::bigint[]) AND b.status <> 'unsubscribed'
      AND $4::text::suppression_reason >= 'unsubscribed' AND (SELECT n FROM in_order) IS NOT NULL
),
off_lists AS (
    UPDATE list_suppressions AS s
    SET reason = $4::text::suppression_reason
    WHERE s.workspace_id = $1 AND s.address_hash = ANY ($3::bytea[]) AND s.reason < $4::text::suppression_reason
      AND $4::text::suppression_reason >= 'unsubscribed'
)
UPDATE contacts AS c
SET status = w.status, updated_at = $5
FROM (SELECT CASE WHEN $4::text = 'manual' THEN 'unsubscribed' ELSE $4::text END::contact_status AS status) AS w
WHERE c.workspace_id = $1 AND c.id = ANY ($2::bigint[]) AND c.status < w.status
RETURNING c.id
