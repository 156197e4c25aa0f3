-- Add soft bounces to what is known of addresses that belong to no contact, since a message to each arrived last.
-- $1 workspace, $2 hashes of addresses, $3 times: one element a bounce; $4 how many are kept of an address
WITH told AS (
    SELECT t.address_hash, array_agg(t.at) AS at
    FROM unnest($2::bytea[], $3::timestamptz[]) AS t (address_hash, at)
    GROUP BY t.address_hash
),
known AS (
    SELECT t.address_hash, t.at || coalesce(s.at, '{}') AS at,
           (SELECT max(d.at) FROM messages AS m
            JOIN deliveries AS d ON d.workspace_id = $1 AND d.send_id = m.send_id AND d.n = m.n AND d.state = 'delivered'
            WHERE m.workspace_id = $1 AND m.address_hash = t.address_hash AND m.contact_id IS NULL) AS reached_at
    FROM told AS t
    LEFT JOIN address_soft_bounces AS s ON s.workspace_id = $1 AND s.address_hash = t.address_hash
)
INSERT INTO address_soft_bounces AS s (workspace_id, address_hash, at, last_at)
SELECT $1, k.address_hash, newest.at, newest.at[cardinality(newest.at)]
FROM known AS k
CROSS JOIN LATERAL (
    SELECT array_agg(at ORDER BY at) AS at
    FROM (
        SELECT at FROM unnest(k.at) AS u (at) WHERE k.reached_at IS NULL OR at > k.reached_at ORDER BY at DESC LIMIT $4
    ) AS n
) AS newest
WHERE newest.at IS NOT NULL
ORDER BY k.address_hash
ON CONFLICT (workspace_id, address_hash) DO UPDATE SET at = excluded.at, last_at = excluded.last_at
RETURNING address_hash, at
