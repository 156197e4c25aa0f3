-- Suppress addresses everywhere, of contacts or of nobody we know, and say what became of each: added, raised (to a stronger
-- reason) or already. What follows for contacts and lists is in _follow.sql. The contacts are locked before.
-- Each address is looked up, whatever the statistics say: `>=` and the order leave one index to do it by.
-- $1 workspace, $2 addresses, $3 hashes, $4 reasons, $5 details (one element an address, no address twice), $6 source, $7 now
WITH told AS (
    SELECT * FROM unnest($2::text[], $3::bytea[], $4::suppression_reason[], $5::text[]) AS t (email, address_hash, reason, detail)
),
known AS (
    SELECT t.*, s.id AS known_id
    FROM told AS t
    LEFT JOIN LATERAL (
        SELECT id, address_hash FROM suppressions
        WHERE workspace_id = $1 AND address_hash >= t.address_hash ORDER BY address_hash LIMIT 1
    ) AS s ON s.address_hash = t.address_hash
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
)
SELECT k.email,
       coalesce(kept.id, k.known_id) AS id,
       CASE WHEN kept.id IS NULL THEN 'already' WHEN k.known_id IS NULL THEN 'added' ELSE 'raised' END AS outcome
FROM known AS k
LEFT JOIN kept ON kept.address_hash = k.address_hash
