-- Firsts and totals. Locks each delivery's row, so that of two writers at once exactly one sees it as the first.
-- In rollups the agent '' stands for all: its uniques are deliveries whose first hit of the kind this was, those of
-- 'human' deliveries whose first human hit it was.
-- $1 workspaces, $2 times, $3 types, $4 sends, $5 n (or null), $6 agents ('' where it means nothing), $7 writer
WITH told AS (
    SELECT *
    FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::bigint[], $5::integer[], $6::text[])
        AS t (workspace_id, at, type, send_id, n, agent)
),
deliveries AS (
    SELECT workspace_id, send_id, n,
           min(at) FILTER (WHERE type = 'opened') AS open_at,
           min(at) FILTER (WHERE type = 'opened' AND agent = 'human') AS human_open_at,
           min(at) FILTER (WHERE type = 'clicked') AS click_at,
           min(at) FILTER (WHERE type = 'clicked' AND agent = 'human') AS human_click_at,
           min(at) FILTER (WHERE type = 'unsubscribed') AS left_at,
           count(*) FILTER (WHERE type = 'opened') AS opens,
           count(*) FILTER (WHERE type = 'clicked') AS clicks
    FROM told WHERE n IS NOT NULL AND type IN ('opened', 'clicked', 'unsubscribed')
    GROUP BY workspace_id, send_id, n
),
before AS (
    SELECT e.workspace_id, e.send_id, e.n, e.first_open_at, e.first_human_open_at, e.first_click_at, e.first_human_click_at,
           e.unsubscribed_at
    FROM engagements AS e
    JOIN deliveries AS d ON d.workspace_id = e.workspace_id AND d.send_id = e.send_id AND d.n = e.n
    ORDER BY e.workspace_id, e.send_id, e.n
    FOR UPDATE OF e
),
updated AS (
    UPDATE engagements AS e
    SET first_open_at = least(e.first_open_at, d.open_at),
        first_human_open_at = least(e.first_human_open_at, d.human_open_at),
        first_click_at = least(e.first_click_at, d.click_at),
        first_human_click_at = least(e.first_human_click_at, d.human_click_at),
        unsubscribed_at = least(e.unsubscribed_at, d.left_at),
        opens = e.opens + d.opens, clicks = e.clicks + d.clicks
    FROM before AS b
    JOIN deliveries AS d ON d.workspace_id = b.workspace_id AND d.send_id = b.send_id AND d.n = b.n
    WHERE e.workspace_id = b.workspace_id AND e.send_id = b.send_id AND e.n = b.n
),
firsts AS (
    SELECT b.workspace_id, b.send_id, f.type, f.agent, f.at
    FROM before AS b
    JOIN deliveries AS d ON d.workspace_id = b.workspace_id AND d.send_id = b.send_id AND d.n = b.n
    CROSS JOIN LATERAL (VALUES
        ('opened', '', d.open_at, b.first_open_at),
        ('opened', 'human', d.human_open_at, b.first_human_open_at),
        ('clicked', '', d.click_at, b.first_click_at),
        ('clicked', 'human', d.human_click_at, b.first_human_click_at),
        ('unsubscribed', '', d.left_at, b.unsubscribed_at)
    ) AS f (type, agent, at, earlier)
    WHERE f.at IS NOT NULL AND f.earlier IS NULL
),
counted AS (
    SELECT workspace_id, send_id, date_trunc('hour', at, 'UTC') AS hour, type, agent, sum(total) AS total, sum(uniques) AS uniques
    FROM (
        SELECT workspace_id, send_id, at, type, '' AS agent, 1 AS total,
               -- Kinds that happen once a delivery, or have no delivery, are unique by themselves.
               (type NOT IN ('opened', 'clicked', 'unsubscribed'))::integer AS uniques
        FROM told WHERE send_id IS NOT NULL
        UNION ALL
        SELECT workspace_id, send_id, at, type, agent, 1, 0 FROM told WHERE send_id IS NOT NULL AND agent <> ''
        UNION ALL
        SELECT workspace_id, send_id, at, type, agent, 0, 1 FROM firsts
    ) AS parts
    GROUP BY 1, 2, 3, 4, 5
    ORDER BY 1, 2, 3, 4, 5
)
INSERT INTO rollups AS r (workspace_id, send_id, hour, type, agent, writer, total, uniques)
SELECT workspace_id, send_id, hour, type, agent, $7, total, uniques FROM counted
ON CONFLICT (workspace_id, send_id, hour, type, agent, writer) DO UPDATE SET
    total = r.total + excluded.total, uniques = r.uniques + excluded.uniques
