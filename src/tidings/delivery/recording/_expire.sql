-- Leases that ran out: their worker is gone and nobody replayed its journal. What of theirs was still pending may or may
-- not have been handed over: unknown, and tried again with the same Message-ID. The chunks are finished with that.
-- $1 now, $2 seconds before an unknown one is tried again, $3 how often
WITH expired AS (
    SELECT workspace_id, send_id, chunk_no, first_n, last_n, ns, provider_id FROM chunks
    WHERE state = 'leased' AND lease_until < now()
    LIMIT 100
    FOR UPDATE SKIP LOCKED
),
doubtful AS (
    UPDATE deliveries AS d
    SET state = 'unknown', at = $1, detail = 'the worker vanished', attempts = d.attempts + 1, unknowns = d.unknowns + 1,
        provider_id = coalesce(e.provider_id, d.provider_id) -- of a route nobody knows which one
    FROM expired AS e
    WHERE d.workspace_id = e.workspace_id AND d.send_id = e.send_id AND d.n BETWEEN e.first_n AND e.last_n
      AND (e.ns IS NULL OR d.n = ANY (e.ns)) AND d.state = 'pending'
      AND (e.ns IS NOT NULL OR NOT EXISTS (
          SELECT FROM retries AS r WHERE r.workspace_id = d.workspace_id AND r.send_id = d.send_id AND r.n = d.n
      )) -- who has a retry belongs to its chunk
      AND (e.ns IS NULL OR NOT EXISTS (
          SELECT FROM chunks AS k
          WHERE k.workspace_id = e.workspace_id AND k.send_id = e.send_id AND k.chunk_no > e.chunk_no
            AND k.state <> 'done' AND d.n = ANY (k.ns)
      )) -- and of two of those, to the later
    RETURNING d.workspace_id, d.send_id, d.n, d.unknowns
),
again AS (
    INSERT INTO retries AS r (workspace_id, send_id, n, due_at, first_at)
    SELECT workspace_id, send_id, n, $1 + make_interval(secs => $2), $1 FROM doubtful WHERE unknowns <= $3
    ON CONFLICT (workspace_id, send_id, n) DO UPDATE SET due_at = excluded.due_at, held = false
),
never_again AS (
    DELETE FROM retries AS r USING doubtful AS d
    WHERE d.unknowns > $3 AND r.workspace_id = d.workspace_id AND r.send_id = d.send_id AND r.n = d.n
),
counted AS (
    INSERT INTO send_counters AS k (workspace_id, send_id, writer, pending, unknown)
    SELECT workspace_id, send_id, 0, -count(*), count(*) FROM doubtful GROUP BY workspace_id, send_id
    ON CONFLICT (workspace_id, send_id, writer) DO UPDATE SET
        pending = k.pending + excluded.pending, unknown = k.unknown + excluded.unknown
)
UPDATE chunks AS c SET state = 'done', owner = NULL, lease_until = NULL
FROM expired AS e
WHERE c.workspace_id = e.workspace_id AND c.send_id = e.send_id AND c.chunk_no = e.chunk_no
RETURNING c.workspace_id, c.send_id
