-- Keep facts and count them, in one statement: the raw events, each delivery's row, the hourly rollups.
--
-- Of two writers at once exactly one sees a delivery's first: its row in engagements is locked by the upsert, in order of the
-- key, so that they never wait for each other crosswise. What a row counted before is its new count less what this
-- batch added, and 0 before means that the first is here. Grouping compares the two, not a join: a planner that does not
-- know how long the arrays are would choose a nested loop.
--
-- In rollups the agent '' stands for all: its uniques are deliveries whose first hit of the kind this was, those of
-- 'human' deliveries whose first human hit it was.
--
-- $1 workspaces, $2 times, $3 types, $4 sends, $5 n (or null), $6 contacts, $7 agents ('' where it means nothing), $8 data:
-- one element an event; $9 writer, $10 links' places in their messages (or null)
WITH told AS MATERIALIZED (
    SELECT *, type IN ('opened', 'clicked', 'unsubscribed') AS engaging
    FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::bigint[], $5::integer[], $6::bigint[], $7::text[], $8::text[],
                $10::smallint[])
        AS t (workspace_id, at, type, send_id, n, contact_id, agent, data, link)
),
stored AS (
    INSERT INTO events (workspace_id, at, type, send_id, n, contact_id, agent, data, link)
    SELECT workspace_id, at, type, send_id, n, contact_id, agent, data::jsonb, link FROM told
),
-- What segments ask: the seconds of each contact's acts, in order, the newest thousand.
acts AS (
    INSERT INTO contact_activity AS a (workspace_id, contact_id, opened, human_opened, clicked, human_clicked, bounced,
        complained, unsubscribed)
    SELECT workspace_id, contact_id,
           array_agg(second ORDER BY second) FILTER (WHERE type = 'opened'),
           array_agg(second ORDER BY second) FILTER (WHERE type = 'opened' AND agent = 'human'),
           array_agg(second ORDER BY second) FILTER (WHERE type = 'clicked'),
           array_agg(second ORDER BY second) FILTER (WHERE type = 'clicked' AND agent = 'human'),
           array_agg(second ORDER BY second) FILTER (WHERE type = 'bounced'),
           array_agg(second ORDER BY second) FILTER (WHERE type = 'complained'),
           array_agg(second ORDER BY second) FILTER (WHERE type = 'unsubscribed')
    FROM (SELECT *, (floor(extract(epoch FROM at)) - 946684800)::integer AS second FROM told) AS t
    WHERE type IN ('opened', 'clicked', 'unsubscribed', 'bounced', 'complained') AND contact_id IS NOT NULL
    GROUP BY workspace_id, contact_id ORDER BY workspace_id, contact_id
    ON CONFLICT (workspace_id, contact_id) DO UPDATE SET
        opened = merged_times(a.opened, excluded.opened),
        human_opened = merged_times(a.human_opened, excluded.human_opened),
        clicked = merged_times(a.clicked, excluded.clicked),
        human_clicked = merged_times(a.human_clicked, excluded.human_clicked),
        bounced = merged_times(a.bounced, excluded.bounced),
        complained = merged_times(a.complained, excluded.complained),
        unsubscribed = merged_times(a.unsubscribed, excluded.unsubscribed)
),
added AS MATERIALIZED (
    SELECT workspace_id, send_id, n, max(contact_id) AS contact_id,
           min(at) FILTER (WHERE type = 'opened') AS open_at,
           min(at) FILTER (WHERE type = 'opened' AND agent = 'human') AS human_open_at,
           min(at) FILTER (WHERE type = 'clicked') AS click_at,
           min(at) FILTER (WHERE type = 'clicked' AND agent = 'human') AS human_click_at,
           min(at) FILTER (WHERE type = 'unsubscribed') AS left_at,
           count(*) FILTER (WHERE type = 'opened') AS opens,
           count(*) FILTER (WHERE type = 'opened' AND agent = 'human') AS human_opens,
           count(*) FILTER (WHERE type = 'clicked') AS clicks,
           count(*) FILTER (WHERE type = 'clicked' AND agent = 'human') AS human_clicks,
           count(*) FILTER (WHERE type = 'unsubscribed') AS departures
    FROM told WHERE engaging AND send_id IS NOT NULL AND n IS NOT NULL
    GROUP BY workspace_id, send_id, n
),
kept AS (
    INSERT INTO engagements AS e (workspace_id, send_id, n, contact_id, first_open_at, first_human_open_at, first_click_at,
        first_human_click_at, unsubscribed_at, opens, human_opens, clicks, human_clicks, departures)
    SELECT workspace_id, send_id, n, contact_id, open_at, human_open_at, click_at,
        human_click_at, left_at, opens, human_opens, clicks, human_clicks, departures
    FROM added ORDER BY workspace_id, send_id, n
    ON CONFLICT (workspace_id, send_id, n) DO UPDATE SET
        first_open_at = least(e.first_open_at, excluded.first_open_at),
        first_human_open_at = least(e.first_human_open_at, excluded.first_human_open_at),
        first_click_at = least(e.first_click_at, excluded.first_click_at),
        first_human_click_at = least(e.first_human_click_at, excluded.first_human_click_at),
        unsubscribed_at = least(e.unsubscribed_at, excluded.unsubscribed_at),
        opens = e.opens + excluded.opens, human_opens = e.human_opens + excluded.human_opens,
        clicks = e.clicks + excluded.clicks, human_clicks = e.human_clicks + excluded.human_clicks,
        departures = e.departures + excluded.departures
    RETURNING workspace_id, send_id, n, opens, human_opens, clicks, human_clicks, departures
),
before AS (
    SELECT workspace_id, send_id, max(open_at) AS open_at, max(human_open_at) AS human_open_at, max(click_at) AS click_at,
           max(human_click_at) AS human_click_at, max(left_at) AS left_at, sum(opens) AS opens,
           sum(human_opens) AS human_opens, sum(clicks) AS clicks, sum(human_clicks) AS human_clicks,
           sum(departures) AS departures
    FROM (
        SELECT workspace_id, send_id, n, open_at, human_open_at, click_at, human_click_at, left_at,
               -opens AS opens, -human_opens AS human_opens, -clicks AS clicks, -human_clicks AS human_clicks,
               -departures AS departures
        FROM added
        UNION ALL
        SELECT workspace_id, send_id, n, null, null, null, null, null, opens, human_opens, clicks, human_clicks, departures
        FROM kept
    ) AS both_counts
    GROUP BY workspace_id, send_id, n
),
counted AS (
    SELECT workspace_id, send_id, date_trunc('hour', at, 'UTC') AS hour, type, agent, sum(total) AS total, sum(uniques) AS uniques
    FROM (
        -- Kinds that happen once a delivery, or have no delivery, are unique by themselves.
        SELECT workspace_id, send_id, at, type, '' AS agent, 1 AS total, (NOT engaging)::integer AS uniques
        FROM told WHERE send_id IS NOT NULL
        UNION ALL
        SELECT workspace_id, send_id, at, type, agent, 1, 0 FROM told WHERE send_id IS NOT NULL AND agent <> ''
        UNION ALL
        SELECT workspace_id, send_id, first.at, first.type, first.agent, 0, 1
        FROM before
        CROSS JOIN LATERAL (VALUES
            ('opened', '', open_at, opens), ('opened', 'human', human_open_at, human_opens),
            ('clicked', '', click_at, clicks), ('clicked', 'human', human_click_at, human_clicks),
            ('unsubscribed', '', left_at, departures)
        ) AS first (type, agent, at, earlier)
        WHERE first.at IS NOT NULL AND first.earlier = 0
    ) AS parts
    GROUP BY 1, 2, 3, 4, 5
    ORDER BY 1, 2, 3, 4, 5
)
INSERT INTO rollups AS r (workspace_id, send_id, hour, type, agent, writer, total, uniques)
SELECT workspace_id, send_id, hour, type, agent, $9, total, uniques FROM counted
ON CONFLICT (workspace_id, send_id, hour, type, agent, writer) DO UPDATE SET
    total = r.total + excluded.total, uniques = r.uniques + excluded.uniques
