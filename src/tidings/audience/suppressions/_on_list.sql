-- Suppress addresses on one list, of contacts or of nobody we know, and say what became of each: added, raised (to a
-- stronger reason) or already. Contacts have left the list then. The list and the contacts are locked before.
-- Each is looked up, as in _addresses.sql.
-- $1 workspace, $2 addresses, $3 hashes, $4 reasons, $5 details, $6 their contacts or null (one element an address, no address
-- twice), $7 source, $8 now, $9 list
WITH told AS (
    SELECT t.*, b.status AS before
    FROM unnest($2::text[], $3::bytea[], $4::suppression_reason[], $5::text[], $6::bigint[])
        AS t (email, address_hash, reason, detail, contact_id)
    LEFT JOIN LATERAL (
        SELECT contact_id, list_id, status FROM subscriptions
        WHERE workspace_id = $1 AND (list_id, contact_id) >= ($9, t.contact_id) ORDER BY list_id, contact_id LIMIT 1
    ) AS b ON b.list_id = $9 AND b.contact_id = t.contact_id
),
known AS (
    SELECT t.*, s.id AS known_id
    FROM told AS t
    LEFT JOIN LATERAL (
        SELECT id, list_id, address_hash FROM list_suppressions
        WHERE workspace_id = $1 AND (list_id, address_hash) >= ($9, t.address_hash) ORDER BY list_id, address_hash LIMIT 1
    ) AS s ON s.list_id = $9 AND s.address_hash = t.address_hash
),
kept AS (
    INSERT INTO list_suppressions AS s
        (workspace_id, list_id, address_hash, address, reason, detail, source, before, created_at)
    SELECT $1, $9, address_hash, email, reason, detail, $7, before, $8
    FROM told
    ORDER BY address_hash
    ON CONFLICT (workspace_id, list_id, address_hash) DO UPDATE
    SET reason = excluded.reason, address = excluded.address, detail = excluded.detail, source = excluded.source,
        created_at = excluded.created_at
    WHERE s.reason < excluded.reason
    RETURNING s.id, s.address_hash
),
off AS (
    INSERT INTO subscriptions AS b (workspace_id, list_id, contact_id, status, subscribed_at, unsubscribed_at)
    SELECT $1, $9, contact_id, 'unsubscribed', $8, $8
    FROM told
    WHERE contact_id IS NOT NULL
    ORDER BY contact_id
    ON CONFLICT (workspace_id, list_id, contact_id) DO UPDATE SET status = 'unsubscribed', unsubscribed_at = $8
    WHERE b.status <> 'unsubscribed'
)
SELECT k.email,
       coalesce(kept.id, k.known_id) AS id,
       CASE WHEN kept.id IS NULL THEN 'already' WHEN k.known_id IS NULL THEN 'added' ELSE 'raised' END AS outcome,
       CASE WHEN k.before = 'subscribed' THEN k.contact_id END AS withdrawn
FROM known AS k
LEFT JOIN kept ON kept.address_hash = k.address_hash
