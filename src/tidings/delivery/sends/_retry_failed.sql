-- Queue a stretch of the deliveries that a person wants tried again, as a chunk of their own.
-- Reads the send under a share lock, like _requeue.sql, so that none slips past a pause or a cancellation; and leaves
-- alone whoever has a retry of their own before them.
-- $1 how many n at once
WITH asked AS (
    SELECT q.workspace_id, q.send_id, q.states, q.asked_at, q.next_n, s.provider_id, s.route_id, s.priority, s.recipients
    FROM send_retries AS q
    JOIN sends AS s ON s.workspace_id = q.workspace_id AND s.id = q.send_id
    WHERE s.status = 'running'
    ORDER BY q.asked_at, q.workspace_id, q.send_id
    LIMIT 1
    FOR UPDATE OF q SKIP LOCKED
    FOR SHARE OF s SKIP LOCKED
),
previous AS (
    SELECT d.workspace_id, d.send_id, d.n, d.state, a.provider_id, a.route_id, a.priority
    FROM asked AS a
    JOIN deliveries AS d ON d.workspace_id = a.workspace_id AND d.send_id = a.send_id
        AND d.n BETWEEN a.next_n AND a.next_n + $1 - 1 AND d.state = ANY (a.states) AND d.at <= a.asked_at
    WHERE NOT EXISTS (
        SELECT FROM retries AS r WHERE r.workspace_id = d.workspace_id AND r.send_id = d.send_id AND r.n = d.n
    )
    FOR UPDATE OF d
),
-- As _requeue.sql has it, a retry row stands for the new chunk: its recipients belong to that one alone.
owned AS (
    INSERT INTO retries (workspace_id, send_id, n, due_at, first_at)
    SELECT workspace_id, send_id, n, 'infinity', now() FROM previous
),
queued AS (
    UPDATE deliveries AS d SET state = 'pending'
    FROM previous AS p WHERE (d.workspace_id, d.send_id, d.n) = (p.workspace_id, p.send_id, p.n)
),
-- What was told of the attempts before says nothing of the one to come; complaints stay.
forgiven AS (
    DELETE FROM delivery_feedback AS f USING previous AS p
    WHERE (f.workspace_id, f.send_id, f.n) = (p.workspace_id, p.send_id, p.n) AND f.complained_at IS NULL
),
forgiven_complainers AS (
    UPDATE delivery_feedback AS f SET failed_at = NULL, bounced_at = NULL, bounce = NULL, status = ''
    FROM previous AS p
    WHERE (f.workspace_id, f.send_id, f.n) = (p.workspace_id, p.send_id, p.n) AND f.complained_at IS NOT NULL
),
counted AS (
    INSERT INTO send_counters AS k (workspace_id, send_id, writer, pending, failed, unknown)
    SELECT workspace_id, send_id, 0, count(*), -count(*) FILTER (WHERE state = 'failed'), -count(*) FILTER (WHERE state = 'unknown')
    FROM previous GROUP BY workspace_id, send_id
    ON CONFLICT (workspace_id, send_id, writer) DO UPDATE SET
        pending = k.pending + excluded.pending, failed = k.failed + excluded.failed, unknown = k.unknown + excluded.unknown
),
-- They were attempted and have failed: neither counts any more against what follows.
judged AS (
    UPDATE send_baselines AS b SET attempted = b.attempted - p.moved, failed = b.failed - p.failed
    FROM (
        SELECT workspace_id, send_id, count(*) AS moved, count(*) FILTER (WHERE state = 'failed') AS failed
        FROM previous GROUP BY workspace_id, send_id
    ) AS p
    WHERE b.workspace_id = p.workspace_id AND b.send_id = p.send_id
),
chunked AS (
    INSERT INTO chunks (workspace_id, send_id, chunk_no, provider_id, route_id, priority, position, first_n, last_n, ns)
    SELECT p.workspace_id, p.send_id,
           (SELECT max(chunk_no) + 1 FROM chunks AS c WHERE c.workspace_id = p.workspace_id AND c.send_id = p.send_id),
           p.provider_id, p.route_id, p.priority,
           coalesce((SELECT min(position) FROM chunks AS c WHERE c.state = 'pending' AND c.priority = p.priority), 0),
           min(p.n), max(p.n), array_agg(p.n ORDER BY p.n)
    FROM previous AS p
    GROUP BY p.workspace_id, p.send_id, p.provider_id, p.route_id, p.priority
),
advanced AS (
    UPDATE send_retries AS q SET next_n = a.next_n + $1
    FROM asked AS a
    WHERE q.workspace_id = a.workspace_id AND q.send_id = a.send_id AND a.next_n + $1 <= a.recipients
),
ended AS (
    DELETE FROM send_retries AS q USING asked AS a
    WHERE q.workspace_id = a.workspace_id AND q.send_id = a.send_id AND a.next_n + $1 > a.recipients
)
SELECT (SELECT count(*) FROM asked)::integer AS stretches, (SELECT count(*) FROM previous)::integer AS queued
