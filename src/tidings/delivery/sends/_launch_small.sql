-- _launch.sql and _queue.sql for many sends at once, whose audiences are small and of lists alone: numbered, cut into chunks,
-- counted, and running.
-- $1 workspaces, $2 sends, $3 now, $4 chunk size; the audience (filled in by _prepare.py) is that of the send `t`
WITH these AS MATERIALIZED (
    SELECT s.workspace_id, s.id, s.list_ids, s.exclude_list_ids, s.provider_id, s.route_id, s.priority
    FROM unnest($1::bigint[], $2::bigint[]) AS g (workspace_id, id)
    JOIN sends AS s ON s.workspace_id = g.workspace_id AND s.id = g.id
),
numbered AS (
    INSERT INTO deliveries (workspace_id, send_id, n, contact_id, by_segment, state, detail, at)
    SELECT t.workspace_id, t.id, row_number() OVER (PARTITION BY t.workspace_id, t.id ORDER BY a.contact_id), a.contact_id,
           a.by_segment,
           CASE WHEN a.skip_reason IS NULL THEN 'pending' ELSE 'skipped' END::delivery_state,
           a.skip_reason,
           CASE WHEN a.skip_reason IS NOT NULL THEN $3::timestamptz END
    FROM these AS t
    CROSS JOIN LATERAL ({audience}) AS a
    RETURNING workspace_id, send_id, state
),
counts AS MATERIALIZED (
    SELECT t.workspace_id, t.id, t.provider_id, t.route_id, t.priority,
           count(d.state)::integer AS recipients,
           count(*) FILTER (WHERE d.state = 'skipped')::integer AS skipped
    FROM these AS t
    LEFT JOIN numbered AS d ON d.workspace_id = t.workspace_id AND d.send_id = t.id
    GROUP BY t.workspace_id, t.id, t.provider_id, t.route_id, t.priority
),
turns AS MATERIALIZED (  -- a turn begins now: at the least position still waiting at its priority
    SELECT p.priority, coalesce((
        SELECT c.position FROM chunks AS c WHERE c.state = 'pending' AND c.priority = p.priority ORDER BY c.position LIMIT 1
    ), 0) AS position
    FROM (SELECT DISTINCT priority FROM these) AS p
),
queued AS (
    INSERT INTO chunks (workspace_id, send_id, chunk_no, provider_id, route_id, priority, position, first_n, last_n)
    SELECT s.workspace_id, s.id, k, s.provider_id, s.route_id, s.priority, w.position + k, k * $4::integer + 1,
           least((k + 1) * $4::integer, s.recipients)
    FROM counts AS s
    JOIN turns AS w ON w.priority = s.priority
    CROSS JOIN LATERAL generate_series(0, (s.recipients - 1) / $4::integer) AS k
    WHERE s.recipients > 0
),
counted AS (
    INSERT INTO send_counters (workspace_id, send_id, writer, pending, skipped)
    SELECT workspace_id, id, 0, recipients - skipped, skipped FROM counts
)
UPDATE sends AS s
SET status = CASE WHEN c.recipients > 0 THEN 'running' ELSE 'done' END::send_status,
    recipients = c.recipients, started_at = $3, finished_at = CASE WHEN c.recipients = 0 THEN $3 END
FROM counts AS c
WHERE s.workspace_id = c.workspace_id AND s.id = c.id
