-- Files in doubt since before $1, claimed at $2; claims from before $3 are of sweepers that died. `is_known`: it has its row.
WITH doubted AS (
    SELECT workspace_id, path FROM media_doubts
    WHERE since <= $1 AND (sweeping_at IS NULL OR sweeping_at < $3)
    ORDER BY since LIMIT $4 FOR UPDATE SKIP LOCKED
)
UPDATE media_doubts AS d SET sweeping_at = $2
FROM doubted
WHERE d.workspace_id = doubted.workspace_id AND d.path = doubted.path
RETURNING d.workspace_id, d.path,
    EXISTS (SELECT FROM media AS m WHERE m.workspace_id = d.workspace_id AND m.path = d.path) AS is_known
