-- Everything else that can become of a delivery: bounced, failed, deferred, skipped, unknown. Decides whether the
-- deferred and the unknown are tried again, and when. Gives back those that changed, with what they became.
-- $1 workspaces, $2 sends, $3 n, $4 states, $5 details, $6 seconds that the server asked us to wait, or that its kind of
-- refusal waits first (or null):
-- one element a delivery; $7 seconds before the first retry, $8 seconds after which we give up: likewise;
-- $9 now, $10 writer, $11 how often an unknown one is tried again, $12 seconds before that; $13 attempts before this one, one
-- element a delivery (or null): what was recorded already, and is pending again for its next attempt, does not move twice;
-- $14 the provider that was tried, one element a delivery (0: none, or not known); $15 was it only held back by a limit of
-- ours: no attempt, and the time until it is due does not count towards giving up
WITH told AS (
    SELECT *
    FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::delivery_state[], $5::text[], $6::float8[], $7::float8[], $8::float8[], $13::integer[],
        $14::bigint[], $15::boolean[])
        AS t (workspace_id, send_id, n, state, detail, wait_seconds, first_wait_seconds, give_up_seconds, attempts, provider_id, held)
),
previous AS (
    SELECT d.workspace_id, d.send_id, d.n, d.contact_id, d.attempts, d.unknowns,
           coalesce(r.first_at, $9) AS first_at, t.state, t.detail,
           -- Exponential from what the server asked for or its kind of refusal waits first, at most four hours unless they ask
           -- for more; spread so that they do not come back as one crowd, and never sooner than the server asked for.
           CASE WHEN t.held THEN t.wait_seconds * (1 + 0.1 * random())
                WHEN t.wait_seconds IS NOT NULL
                    THEN greatest(t.wait_seconds, least(t.wait_seconds * power(2, least(d.attempts, 16)), 14400)) * (1 + 0.4 * random())
                ELSE least(t.first_wait_seconds * power(2, least(d.attempts, 16)), 14400) * (0.8 + 0.4 * random())
           END AS wait_seconds,
           t.held, t.give_up_seconds, nullif(t.provider_id, 0) AS provider_id
    FROM told AS t
    JOIN deliveries AS d ON d.workspace_id = t.workspace_id AND d.send_id = t.send_id AND d.n = t.n
    LEFT JOIN retries AS r ON r.workspace_id = t.workspace_id AND r.send_id = t.send_id AND r.n = t.n
    WHERE d.state = 'pending' AND (t.attempts IS NULL OR t.attempts = d.attempts)
    FOR UPDATE OF d
),
decided AS (
    SELECT workspace_id, send_id, n, contact_id, provider_id, held,
           first_at + CASE WHEN held THEN make_interval(secs => wait_seconds) ELSE '0' END AS first_at,
           CASE WHEN gives_up THEN 'failed' ELSE state END AS state,
           CASE WHEN gives_up THEN 'gave up after ' || attempts + 1 || CASE attempts WHEN 0 THEN ' attempt: ' ELSE ' attempts: ' END || detail ELSE detail END AS detail,
           CASE
               WHEN state = 'deferred' AND NOT gives_up THEN $9 + make_interval(secs => wait_seconds)
               WHEN state = 'unknown' AND unknowns < $11 THEN $9 + make_interval(secs => $12)
           END AS due_at
    FROM (
        SELECT *, state = 'deferred' AND NOT held AND $9 + make_interval(secs => wait_seconds - give_up_seconds) > first_at AS gives_up
        FROM previous
    ) AS p
),
updated AS (
    UPDATE deliveries AS d
    SET state = p.state, at = $9, detail = p.detail,
        attempts = d.attempts + (p.state <> 'skipped' AND NOT p.held)::integer,
        unknowns = d.unknowns + (p.state = 'unknown')::integer,
        provider_id = coalesce(p.provider_id, d.provider_id)
    FROM decided AS p
    WHERE d.workspace_id = p.workspace_id AND d.send_id = p.send_id AND d.n = p.n
),
again AS (
    INSERT INTO retries AS r (workspace_id, send_id, n, due_at, first_at, held)
    SELECT workspace_id, send_id, n, due_at, first_at, held FROM decided WHERE due_at IS NOT NULL
    ON CONFLICT (workspace_id, send_id, n)
    DO UPDATE SET due_at = excluded.due_at, first_at = excluded.first_at, held = excluded.held
),
never_again AS (
    DELETE FROM retries AS r USING decided AS p
    WHERE p.due_at IS NULL AND r.workspace_id = p.workspace_id AND r.send_id = p.send_id AND r.n = p.n
),
counted AS (
    INSERT INTO send_counters AS k (workspace_id, send_id, writer, pending, deferred, bounced, failed, skipped, unknown)
    SELECT workspace_id, send_id, $10, -count(*),
           count(*) FILTER (WHERE state = 'deferred'), count(*) FILTER (WHERE state = 'bounced'),
           count(*) FILTER (WHERE state = 'failed'), count(*) FILTER (WHERE state = 'skipped'),
           count(*) FILTER (WHERE state = 'unknown')
    FROM decided GROUP BY workspace_id, send_id
    ON CONFLICT (workspace_id, send_id, writer) DO UPDATE SET
        pending = k.pending + excluded.pending,
        deferred = k.deferred + excluded.deferred,
        bounced = k.bounced + excluded.bounced,
        failed = k.failed + excluded.failed,
        skipped = k.skipped + excluded.skipped,
        unknown = k.unknown + excluded.unknown
),
counted_by_provider AS (
    INSERT INTO provider_counters AS k (workspace_id, send_id, provider_id, writer, deferred, bounced, failed, unknown)
    SELECT workspace_id, send_id, provider_id, $10,
           count(*) FILTER (WHERE state = 'deferred'), count(*) FILTER (WHERE state = 'bounced'),
           count(*) FILTER (WHERE state = 'failed'), count(*) FILTER (WHERE state = 'unknown')
    FROM decided WHERE provider_id IS NOT NULL GROUP BY workspace_id, send_id, provider_id
    ON CONFLICT (workspace_id, send_id, provider_id, writer) DO UPDATE SET
        deferred = k.deferred + excluded.deferred,
        bounced = k.bounced + excluded.bounced,
        failed = k.failed + excluded.failed,
        unknown = k.unknown + excluded.unknown
)
SELECT workspace_id, send_id, n, contact_id, state::text AS state, detail FROM decided WHERE NOT held
