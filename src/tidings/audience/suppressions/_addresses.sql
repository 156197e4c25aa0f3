-- Suppress addresses everywhere, of contacts or of nobody we know, and say what became of each: added, raised (to a stronger
-- reason) or already. Contacts get the status, and leave their lists if it is their own wish. The contacts are locked before.
-- $1 workspace, $2 addresses, $3 hashes, $4 reasons, $5 details (one element an address, no address twice), $6 source, $7 now
WITH told AS (
    SELECT * FROM unnest($2::text[], $3::bytea[], $4::suppression_reason[], $5::text[]) AS t (email, address_hash, reason, detail)
),
known AS (
    SELECT t.*, s.id AS known_id, s.reason AS known_reason
    FROM told AS t
    LEFT JOIN suppressions AS s ON s.workspace_id = $1 AND s.address_hash = t.address_hash
),
kept AS (
    INSERT INTO suppressions AS s (workspace_id, address_hash, address, reason, detail, source, created_at)
    SELECT $1, address_hash, email, reason, detail, $6, $7
    FROM told
    ORDER BY address_hash
    ON CONFLICT (workspace_id, address_hash) DO UPDATE
    SET reason = excluded.reason, address = excluded.address, detail = excluded.detail, source = excluded.source,
        created_at = excluded.created_at
    WHERE s.reason < excluded.reason
    RETURNING s.id, s.address_hash
),
people AS (
    SELECT c.id, c.status, t.address_hash, t.reason,
           CASE WHEN t.reason = 'manual' THEN 'unsubscribed' ELSE t.reason::text END::contact_status AS wanted
    FROM told AS t
    JOIN contacts AS c ON c.workspace_id = $1 AND c.email = t.email
),
off AS (
    UPDATE subscriptions AS b
    SET status = 'unsubscribed', unsubscribed_at = $7
    FROM people AS p
    WHERE b.workspace_id = $1 AND b.contact_id = p.id AND b.status <> 'unsubscribed' AND p.reason >= 'unsubscribed'
),
off_lists AS (
    UPDATE list_suppressions AS s
    SET reason = t.reason
    FROM told AS t
    WHERE s.workspace_id = $1 AND s.address_hash = t.address_hash AND s.reason < t.reason AND t.reason >= 'unsubscribed'
),
out AS (
    UPDATE contacts AS c
    SET status = p.wanted, updated_at = $7
    FROM people AS p
    WHERE c.workspace_id = $1 AND c.id = p.id AND c.status < p.wanted
    RETURNING c.id, p.address_hash
)
SELECT k.email,
       coalesce(kept.id, k.known_id) AS id,
       CASE WHEN kept.id IS NULL THEN 'already' WHEN k.known_id IS NULL THEN 'added' ELSE 'raised' END AS outcome,
       out.id AS withdrawn
FROM known AS k
LEFT JOIN kept ON kept.address_hash = k.address_hash
LEFT JOIN out ON out.address_hash = k.address_hash
