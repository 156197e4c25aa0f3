-- Take contacts out for good: suppression, status, and (for those who left or complained) every subscription; what keeps
-- them off one list only is then their own wish, too. What is stronger already stays. Returns the contacts whose status
-- changed. The contacts are locked before.
-- Everything is looked up from the contacts that are told, in whatever order the statistics would have it: of a workspace that
-- is just being filled they say that it has one contact, and to read all of them for each that is told would seem cheap.
-- $1 workspace, $2 contacts, $3 details, $4 reason, $5 source, $6 now
WITH target AS (
    SELECT c.id, c.email, c.address_hash, t.detail
    FROM unnest($2::bigint[], $3::text[]) AS t (id, detail)
    CROSS JOIN LATERAL (SELECT id, email, address_hash FROM contacts WHERE workspace_id = $1 AND id = t.id LIMIT 1) AS c
),
kept AS (
    INSERT INTO suppressions AS s (workspace_id, address_hash, address, reason, detail, source, created_at)
    SELECT DISTINCT ON (address_hash) $1, address_hash, email, $4::text::suppression_reason, detail, $5, $6
    FROM target
    ORDER BY address_hash
    ON CONFLICT (workspace_id, address_hash) DO UPDATE
    SET reason = excluded.reason, address = excluded.address, detail = excluded.detail, source = excluded.source,
        created_at = excluded.created_at
    WHERE s.reason < excluded.reason
),
in_order AS MATERIALIZED (
    SELECT count(*) AS n
    FROM (SELECT FROM subscriptions
          WHERE workspace_id = $1 AND contact_id = ANY ($2::bigint[]) AND status <> 'unsubscribed'
            AND $4::text::suppression_reason >= 'unsubscribed'
          ORDER BY contact_id, list_id FOR UPDATE) AS locked
),
off AS (
    UPDATE subscriptions AS b
    SET status = 'unsubscribed', unsubscribed_at = $6
    WHERE b.workspace_id = $1 AND b.contact_id = ANY ($2::bigint[]) AND b.status <> 'unsubscribed'
      AND $4::text::suppression_reason >= 'unsubscribed' AND (SELECT n FROM in_order) IS NOT NULL
),
off_lists AS (
    UPDATE list_suppressions AS s
    SET reason = $4::text::suppression_reason
    WHERE s.workspace_id = $1 AND s.address_hash = ANY (ARRAY(SELECT address_hash FROM target)) AND s.reason < $4::text::suppression_reason
      AND $4::text::suppression_reason >= 'unsubscribed'
)
UPDATE contacts AS c
SET status = s.status, updated_at = $6
FROM (SELECT CASE WHEN $4::text = 'manual' THEN 'unsubscribed' ELSE $4::text END::contact_status AS status) AS s
WHERE c.workspace_id = $1 AND c.id = ANY ($2::bigint[]) AND c.status < s.status
RETURNING c.id
