-- Gather the receipts of one campaign's send that is over, some thousand deliveries at once: segments ask who received what.
-- A delivery's receipt is gathered in the transaction that moves `gathered_n` past it, so it is never counted twice. Whoever
-- was merged since is who they are now, and of who was deleted nothing is gathered.
-- $1 deliveries at once, $2 now, $3 workspace, $4 send: locked by a statement before this one, so that this one sees all
-- that was recorded before the lock
WITH one AS (
    SELECT workspace_id, id, gathered_n, least(gathered_n + $1, recipients) AS until
    FROM sends WHERE workspace_id = $3 AND id = $4
),
gathered AS (
    INSERT INTO contact_receipts AS r (workspace_id, contact_id, at)
    SELECT c.workspace_id, c.id, array_agg(t.second ORDER BY t.second)
    FROM one
    JOIN deliveries AS d ON d.workspace_id = one.workspace_id AND d.send_id = one.id
        AND d.n > one.gathered_n AND d.n <= one.until
    LEFT JOIN contact_merges AS m ON m.workspace_id = d.workspace_id AND m.merged_id = d.contact_id
    JOIN contacts AS c ON c.workspace_id = d.workspace_id AND c.id = coalesce(m.into_id, d.contact_id)
    CROSS JOIN LATERAL (SELECT (floor(extract(epoch FROM d.at)) - 946684800)::integer AS second) AS t
    WHERE d.state IN ('sent', 'delivered')
    GROUP BY c.workspace_id, c.id ORDER BY c.workspace_id, c.id
    ON CONFLICT (workspace_id, contact_id) DO UPDATE SET at = merged_times(r.at, excluded.at)
)
UPDATE sends AS s
SET gathered_n = one.until, gathered_at = CASE WHEN one.until >= s.recipients THEN $2::timestamptz END
FROM one
WHERE s.workspace_id = one.workspace_id AND s.id = one.id
RETURNING s.id
