-- Give chunks back: done where nobody in them is pending any more, else free again, or held while the send stands still.
-- Reads the sends under a share lock, which pause, resume and cancel wait for, so that no chunk slips past them.
-- $1 workspaces, $2 sends, $3 chunk numbers: one element a chunk; $4 their owner
WITH given AS (
    SELECT c.workspace_id, c.send_id, c.chunk_no, s.status,
           EXISTS (
               SELECT FROM deliveries AS d
               WHERE d.workspace_id = c.workspace_id AND d.send_id = c.send_id AND d.n BETWEEN c.first_n AND c.last_n
                 AND d.state = 'pending' AND (c.ns IS NULL OR d.n = ANY (c.ns))
                 -- Who has a retry belongs to its chunk (_fetch.sql).
                 AND (c.ns IS NOT NULL OR NOT EXISTS (
                     SELECT FROM retries AS r WHERE r.workspace_id = d.workspace_id AND r.send_id = d.send_id AND r.n = d.n
                 ))
           ) AS open,
           -- A chunk of retries keeps whom it has still to do. Who was deferred by it, and has come back in a later one, is that
           -- one's: else both would send to them.
           CASE WHEN c.ns IS NOT NULL THEN ARRAY(
               SELECT d.n FROM deliveries AS d
               WHERE d.workspace_id = c.workspace_id AND d.send_id = c.send_id AND d.n = ANY (c.ns) AND d.state = 'pending'
                 AND NOT EXISTS (
                     SELECT FROM chunks AS k
                     WHERE k.workspace_id = c.workspace_id AND k.send_id = c.send_id AND k.chunk_no > c.chunk_no
                       AND k.state <> 'done' AND d.n = ANY (k.ns)
                 )
               ORDER BY d.n
           ) END AS left_ns
    FROM unnest($1::bigint[], $2::bigint[], $3::integer[]) AS g (workspace_id, send_id, chunk_no)
    JOIN chunks AS c ON c.workspace_id = g.workspace_id AND c.send_id = g.send_id AND c.chunk_no = g.chunk_no
    JOIN sends AS s ON s.workspace_id = g.workspace_id AND s.id = g.send_id
    WHERE c.state = 'leased' AND c.owner = $4
    FOR SHARE OF s
)
UPDATE chunks AS c
SET ns = coalesce(nullif(left_ns, '{}'), c.ns),
    state = CASE WHEN NOT open OR left_ns = '{}' THEN 'done' WHEN status IN ('running', 'done') THEN 'pending' ELSE 'held' END::chunk_state,
    owner = NULL, lease_until = NULL
FROM given AS g
WHERE c.workspace_id = g.workspace_id AND c.send_id = g.send_id AND c.chunk_no = g.chunk_no
  AND c.state = 'leased' AND c.owner = $4 -- once more: it may have expired while we waited for its row
RETURNING c.workspace_id, c.send_id, c.state::text AS state
