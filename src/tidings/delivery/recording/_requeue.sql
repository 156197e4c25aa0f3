-- Give the deferred and the unknown whose time has come a chunk of their own, one a send.
-- A retry row stays, at infinity, while its chunk is out: it remembers when the first attempt was.
-- Reads the sends under a share lock, like _release.sql, so that no retry slips past a pause or a cancellation.
-- $1 now, $2 how many at most
WITH due AS (
    SELECT r.workspace_id, r.send_id, r.n, s.provider_id, s.route_id, s.priority, s.campaign_id
    FROM retries AS r
    JOIN sends AS s ON s.workspace_id = r.workspace_id AND s.id = r.send_id
    WHERE r.due_at <= $1 AND s.status IN ('running', 'done')
    ORDER BY r.due_at
    LIMIT $2
    FOR UPDATE OF r SKIP LOCKED
    FOR SHARE OF s SKIP LOCKED
),
marked AS (
    UPDATE retries AS r SET due_at = 'infinity'
    FROM due WHERE (r.workspace_id, r.send_id, r.n) = (due.workspace_id, due.send_id, due.n)
),
previous AS (
    SELECT d.workspace_id, d.send_id, d.n, d.state, due.provider_id, due.route_id, due.priority, due.campaign_id
    FROM deliveries AS d JOIN due ON (d.workspace_id, d.send_id, d.n) = (due.workspace_id, due.send_id, due.n)
    WHERE d.state IN ('deferred', 'unknown')
    FOR UPDATE OF d
),
queued AS (
    UPDATE deliveries AS d SET state = 'pending'
    FROM previous AS p WHERE (d.workspace_id, d.send_id, d.n) = (p.workspace_id, p.send_id, p.n)
),
counted AS (
    INSERT INTO send_counters AS k (workspace_id, send_id, writer, pending, deferred, unknown)
    SELECT workspace_id, send_id, 0, count(*), -count(*) FILTER (WHERE state = 'deferred'), -count(*) FILTER (WHERE state = 'unknown')
    FROM previous GROUP BY workspace_id, send_id
    ON CONFLICT (workspace_id, send_id, writer) DO UPDATE SET
        pending = k.pending + excluded.pending, deferred = k.deferred + excluded.deferred, unknown = k.unknown + excluded.unknown
)
INSERT INTO chunks (workspace_id, send_id, chunk_no, provider_id, route_id, priority, position, first_n, last_n, ns)
SELECT p.workspace_id, p.send_id,
       -- A rolling send is numbered while we look: by the sequence that its messages' chunks have theirs from.
       CASE WHEN p.campaign_id IS NULL THEN (nextval('message_numbers') - 1) % 2147483647 + 1
            ELSE (SELECT max(chunk_no) + 1 FROM chunks AS c WHERE c.workspace_id = p.workspace_id AND c.send_id = p.send_id)
       END,
       p.provider_id, p.route_id, p.priority,
       coalesce((SELECT min(position) FROM chunks AS c WHERE c.state = 'pending' AND c.priority = p.priority), 0),
       min(p.n), max(p.n), array_agg(p.n ORDER BY p.n)
FROM previous AS p
GROUP BY p.workspace_id, p.send_id, p.provider_id, p.route_id, p.priority, p.campaign_id
RETURNING cardinality(ns) AS queued
