-- Cancelled sends with no chunk left: the deferred are not tried again, and that is the end of it. $1 now
WITH over AS (
    UPDATE sends AS s SET finished_at = $1
    WHERE s.status = 'cancelled' AND s.finished_at IS NULL
      AND NOT EXISTS (
          SELECT FROM chunks AS c WHERE c.workspace_id = s.workspace_id AND c.send_id = s.id AND c.state <> 'done'
      )
    RETURNING s.workspace_id, s.id
),
withdrawn AS (
    DELETE FROM send_retries AS q USING over AS o WHERE q.workspace_id = o.workspace_id AND q.send_id = o.id
),
forgotten AS (
    DELETE FROM retries AS r USING over AS o WHERE r.workspace_id = o.workspace_id AND r.send_id = o.id
    RETURNING r.workspace_id, r.send_id, r.n
),
cancelled AS (
    UPDATE deliveries AS d SET state = 'cancelled', at = $1
    FROM forgotten AS f
    WHERE d.workspace_id = f.workspace_id AND d.send_id = f.send_id AND d.n = f.n AND d.state = 'deferred'
    RETURNING d.workspace_id, d.send_id
)
INSERT INTO send_counters AS k (workspace_id, send_id, writer, deferred, cancelled)
SELECT workspace_id, send_id, 0, -count(*), count(*) FROM cancelled GROUP BY workspace_id, send_id
ON CONFLICT (workspace_id, send_id, writer) DO UPDATE SET
    deferred = k.deferred + excluded.deferred, cancelled = k.cancelled + excluded.cancelled
