-- Add soft bounces to what is known of contacts since each was last reached.
-- $1 workspace, $2 contacts, $3 times: one element a bounce; $4 how many are kept of a contact
WITH told AS (
    SELECT c.id, array_agg(t.at) AS at
    FROM unnest($2::bigint[], $3::timestamptz[]) AS t (contact_id, at)
    JOIN contacts AS c ON c.workspace_id = $1 AND c.id = t.contact_id AND c.status = 'active'
    GROUP BY c.id
),
known AS (
    SELECT t.id, t.at || coalesce(s.at, '{}') AS at,
           greatest(
               (SELECT max(d.at) FROM deliveries AS d
                WHERE d.workspace_id = $1 AND d.contact_id = t.id AND d.state = 'delivered'),
               (SELECT max(d.at) FROM messages AS m
                JOIN deliveries AS d ON d.workspace_id = $1 AND d.send_id = m.send_id AND d.n = m.n AND d.state = 'delivered'
                WHERE m.workspace_id = $1 AND m.contact_id = t.id)
           ) AS reached_at
    FROM told AS t
    LEFT JOIN soft_bounces AS s ON s.workspace_id = $1 AND s.contact_id = t.id
)
INSERT INTO soft_bounces AS s (workspace_id, contact_id, at)
SELECT $1, k.id, newest.at
FROM known AS k
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(at ORDER BY at), '{}') AS at
    FROM (
        SELECT at FROM unnest(k.at) AS u (at) WHERE k.reached_at IS NULL OR at > k.reached_at ORDER BY at DESC LIMIT $4
    ) AS n
) AS newest
ORDER BY k.id
ON CONFLICT (workspace_id, contact_id) DO UPDATE SET at = excluded.at
RETURNING contact_id, at
