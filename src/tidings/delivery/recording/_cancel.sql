-- Some of the chunks of cancelled sends: whoever in them was not reached yet never will be.
-- $1 how many chunks, $2 now
WITH held AS (
    SELECT c.workspace_id, c.send_id, c.chunk_no, c.first_n, c.last_n, c.ns
    FROM sends AS s
    JOIN chunks AS c ON c.workspace_id = s.workspace_id AND c.send_id = s.id AND c.state = 'held'
    WHERE s.status = 'cancelled' AND s.finished_at IS NULL
    LIMIT $1
    FOR UPDATE OF c SKIP LOCKED
),
cancelled AS (
    UPDATE deliveries AS d SET state = 'cancelled', at = $2, detail = NULL
    FROM held AS h
    WHERE d.workspace_id = h.workspace_id AND d.send_id = h.send_id AND d.n BETWEEN h.first_n AND h.last_n
      -- A retry chunk spans others that may be in a worker's hands: only its own.
      AND (h.ns IS NULL OR d.n = ANY (h.ns)) AND d.state = 'pending'
      AND (h.ns IS NOT NULL OR NOT EXISTS (
          SELECT FROM retries AS r WHERE r.workspace_id = d.workspace_id AND r.send_id = d.send_id AND r.n = d.n
      )) -- who has a retry belongs to its chunk
      AND (h.ns IS NULL OR NOT EXISTS (
          SELECT FROM chunks AS k
          WHERE k.workspace_id = h.workspace_id AND k.send_id = h.send_id AND k.chunk_no > h.chunk_no
            AND k.state <> 'done' AND d.n = ANY (k.ns)
      )) -- and of two of those, to the later
    RETURNING d.workspace_id, d.send_id
),
counted AS (
    INSERT INTO send_counters AS k (workspace_id, send_id, writer, pending, cancelled)
    SELECT workspace_id, send_id, 0, -count(*), count(*) FROM cancelled GROUP BY workspace_id, send_id
    ON CONFLICT (workspace_id, send_id, writer) DO UPDATE SET
        pending = k.pending + excluded.pending, cancelled = k.cancelled + excluded.cancelled
),
closed AS (
    UPDATE chunks AS c SET state = 'done' FROM held AS h
    WHERE c.workspace_id = h.workspace_id AND c.send_id = h.send_id AND c.chunk_no = h.chunk_no
)
SELECT count(*)::integer FROM held
