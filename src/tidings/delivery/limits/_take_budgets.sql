-- Take some of what the limits of a provider still allow. The rows of `budgets` were locked by the statement before
-- this one, so that this one sees all that others have taken.
-- A limit of a period is kept in any such stretch of time, not only in those of the clock: what was taken is counted by
-- parts of the period, and a part counts until all of it is over, and a little longer, for what is taken is not sent
-- at that very moment. A pace is the generic cell rate algorithm: whoever moves `free_at` on owns the time in between;
-- nobody does so far ahead.
-- $1 workspace, $2 provider; one element an ask: $3 scopes, $4 per second (or null), $5 per minute, $6 per hour, $7 per day
-- (or null), $8 wanted; $9 seconds between taking and sending, at most; $10 seconds ahead, at most; $11 which part of
-- `per second` is used; $12 which part of a second's a share has at most
WITH ask AS MATERIALIZED (
    SELECT a.*, b.factor, extract(epoch FROM clock_timestamp())::float8 AS now,
           extract(epoch FROM greatest(b.free_at - clock_timestamp(), '0'))::float8 AS ahead,
           least(a.per_second * b.factor * $11, b.pace * b.factor) AS rate,
           CASE WHEN b.factor < 1 THEN least(a.per_second * b.factor, b.pace * b.factor) END AS slowed
    FROM unnest($3::text[], $4::float8[], $5::bigint[], $6::bigint[], $7::bigint[], $8::integer[])
        AS a (scope, per_second, per_minute, per_hour, per_day, wanted)
    JOIN budgets AS b ON b.workspace_id = $1 AND b.provider_id = $2 AND b.scope = a.scope
),
period AS (
    SELECT a.scope, a.now, p.seconds, p.length, greatest(1, floor(p.most * a.factor))::bigint AS most
    FROM ask AS a
    CROSS JOIN LATERAL (VALUES (60, 1, a.per_minute), (3600, 60, a.per_hour), (86400, 1200, a.per_day)) AS p (seconds, length, most)
    WHERE p.most IS NOT NULL
),
used AS (
    SELECT p.scope, p.seconds, p.most - coalesce(u.taken, 0) AS room, (u.oldest + 1) * p.length + p.seconds + $9 - p.now AS over_in
    FROM period AS p
    CROSS JOIN LATERAL (
        SELECT sum(u.taken)::bigint AS taken, min(u.part) FILTER (WHERE u.taken > 0) AS oldest
        FROM budget_uses AS u
        WHERE u.workspace_id = $1 AND u.provider_id = $2 AND u.scope = p.scope AND u.seconds = p.seconds
          AND u.part >= floor((p.now - p.seconds - $9) / p.length)
    ) AS u
),
room AS (
    SELECT scope, greatest(0, min(room)) AS room,
           -- Until the oldest part of the one that is used up counts no more.
           max(over_in) FILTER (WHERE room < 1) AS over_in,
           (array_agg(seconds ORDER BY over_in DESC NULLS LAST) FILTER (WHERE room < 1))[1] AS full_for
    FROM used GROUP BY scope
),
granted AS (
    SELECT a.scope, a.now, a.ahead, a.rate, a.slowed, r.over_in, r.full_for,
           CASE WHEN a.rate IS NOT NULL AND a.ahead > $10 THEN 0 ELSE least(a.wanted, coalesce(r.room, a.wanted),
                      -- Of a pace, also of one that was slowed down, a small share.
                      CASE WHEN a.rate IS NOT NULL THEN greatest(1, floor(a.rate / $11 * $12)) END)
           END::integer AS many
    FROM ask AS a LEFT JOIN room AS r USING (scope)
),
paced AS (
    UPDATE budgets AS b SET free_at = greatest(b.free_at, clock_timestamp()) + make_interval(secs => g.many / g.rate)
    FROM granted AS g
    WHERE b.workspace_id = $1 AND b.provider_id = $2 AND b.scope = g.scope AND g.rate IS NOT NULL AND g.many > 0
),
counted AS (
    INSERT INTO budget_uses AS u (workspace_id, provider_id, scope, seconds, part, taken)
    SELECT $1, $2, p.scope, p.seconds, floor(p.now / p.length), g.many
    FROM period AS p JOIN granted AS g USING (scope) WHERE g.many > 0
    ON CONFLICT (workspace_id, provider_id, scope, seconds, part) DO UPDATE SET taken = u.taken + excluded.taken
),
forgotten AS (
    DELETE FROM budget_uses AS u USING period AS p
    WHERE u.workspace_id = $1 AND u.provider_id = $2 AND u.scope = p.scope AND u.seconds = p.seconds
      AND u.part < floor((p.now - p.seconds - $9) / p.length)
)
SELECT scope, many, now AS taken_at,
       CASE WHEN many > 0 THEN CASE WHEN rate IS NULL THEN 0 ELSE ahead END
            ELSE greatest(coalesce(over_in, 0), CASE WHEN rate IS NULL THEN 0 ELSE ahead - $10 END, 0.02)
       END::float8 AS wait_seconds,
       CASE WHEN many = 0 THEN full_for END AS full_for, slowed AS rate
FROM granted
