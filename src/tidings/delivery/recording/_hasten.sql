-- Whom the limits of a provider held back before these were changed: they need not wait for the time that the old ones gave
-- them. Who is beyond the new ones is held back again, by these. A thousand or so at once; with none left, that is settled.
-- $1 now, $2 how many at most, $3 seconds until workers have surely seen a change
WITH changed AS (
    SELECT workspace_id, id, limits_changed_at + make_interval(secs => $3) AS until FROM providers
    WHERE limits_changed_at < $1::timestamptz - make_interval(secs => $3)
    ORDER BY limits_changed_at LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
),
waiting AS MATERIALIZED (
    SELECT r.workspace_id, r.send_id, r.n
    FROM changed AS p
    JOIN retries AS r ON r.workspace_id = p.workspace_id AND r.held AND r.due_at > $1 AND r.due_at < 'infinity'
    JOIN sends AS s ON s.workspace_id = r.workspace_id AND s.id = r.send_id
        AND (s.provider_id = p.id OR EXISTS (
            SELECT FROM route_members AS m
            WHERE m.workspace_id = p.workspace_id AND m.route_id = s.route_id AND m.provider_id = p.id
        ))
    JOIN deliveries AS d ON d.workspace_id = r.workspace_id AND d.send_id = r.send_id AND d.n = r.n AND d.at <= p.until
    LIMIT $2
    FOR UPDATE OF r SKIP LOCKED
),
hastened AS (
    UPDATE retries AS r SET due_at = $1
    FROM waiting AS h WHERE r.workspace_id = h.workspace_id AND r.send_id = h.send_id AND r.n = h.n
),
settled AS (
    UPDATE providers AS p SET limits_changed_at = NULL
    FROM changed AS c WHERE p.workspace_id = c.workspace_id AND p.id = c.id AND NOT EXISTS (SELECT FROM waiting)
)
SELECT count(*)::integer FROM waiting
