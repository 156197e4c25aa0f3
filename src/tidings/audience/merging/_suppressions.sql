-- Before a merge: whoever left or complained under one of two addresses has left under both, everything and single lists.
-- A bounce is the address's own.
-- $1 workspace, $2 the two contacts, $3 their addresses' hashes, $4 now
WITH wish AS (
    SELECT greatest(
        (SELECT max(reason) FROM suppressions WHERE workspace_id = $1 AND address_hash = ANY ($3::bytea[]) AND reason > 'bounced'),
        -- Of a status with no suppression behind it; 'unsubscribed' may stand for 'manual', which then lies there.
        CASE WHEN NOT EXISTS (SELECT FROM suppressions
                              WHERE workspace_id = $1 AND address_hash = ANY ($3::bytea[]) AND reason > 'bounced')
             THEN (SELECT max(status) FROM contacts
                   WHERE workspace_id = $1 AND id = ANY ($2::bigint[]) AND status >= 'unsubscribed')::text::suppression_reason
        END
    ) AS reason
),
everything AS (
    INSERT INTO suppressions AS s (workspace_id, address_hash, reason, detail, source, created_at)
    SELECT $1, h.hash, w.reason, 'left under another address of theirs', 'merge', $4
    FROM wish AS w, unnest($3::bytea[]) AS h (hash)
    WHERE w.reason IS NOT NULL
    ORDER BY h.hash
    ON CONFLICT (workspace_id, address_hash) DO UPDATE
    SET reason = excluded.reason, detail = excluded.detail, source = excluded.source WHERE s.reason < excluded.reason
)
INSERT INTO list_suppressions AS s (workspace_id, list_id, address_hash, reason, detail, source, created_at)
SELECT $1, l.list_id, h.hash, max(l.reason), 'left under another address of theirs', 'merge', $4
FROM list_suppressions AS l, unnest($3::bytea[]) AS h (hash)
WHERE l.workspace_id = $1 AND l.address_hash = ANY ($3::bytea[]) AND l.reason > 'bounced'
GROUP BY l.list_id, h.hash
ORDER BY l.list_id, h.hash
ON CONFLICT (workspace_id, list_id, address_hash) DO UPDATE
    SET reason = excluded.reason, detail = excluded.detail, source = excluded.source WHERE s.reason < excluded.reason
