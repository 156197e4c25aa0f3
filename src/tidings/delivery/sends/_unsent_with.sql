-- Campaigns and messages that are still to go out, or may be tried again by themselves, with a file or with the address of an image
-- in their text; ten at most. Only what is on its way is read: of a workspace's ten thousand sends the few that are not over.
-- $1 workspace, $2 the file as its member of `attached`, in an array, or null; $3 the image's path, or ''
WITH campaigns AS MATERIALIZED (
    SELECT s.id, s.campaign_id FROM sends AS s
    WHERE s.workspace_id = $1 AND s.campaign_id IS NOT NULL AND (
        s.status IN ('preparing', 'running', 'paused')
        OR s.status = 'cancelled' AND s.finished_at IS NULL
        OR s.status = 'done' AND (
            EXISTS (SELECT FROM retries AS r WHERE r.workspace_id = $1 AND r.send_id = s.id)
            OR EXISTS (SELECT FROM chunks AS c WHERE c.workspace_id = $1 AND c.send_id = s.id AND c.state <> 'done')
        )
    )
),
rolling AS MATERIALIZED (
    SELECT s.id FROM sends AS s WHERE s.workspace_id = $1 AND s.campaign_id IS NULL
),
waiting AS MATERIALIZED (
    SELECT m.id, m.send_id, m.content_hash
    FROM (
        SELECT c.send_id, unnest(c.ns) AS n FROM rolling AS s
        JOIN chunks AS c ON c.workspace_id = $1 AND c.send_id = s.id AND c.state <> 'done'
        UNION
        SELECT r.send_id, r.n FROM rolling AS s JOIN retries AS r ON r.workspace_id = $1 AND r.send_id = s.id
    ) AS w
    -- OFFSET 0, here and below: looked up one by one, whatever the statistics say.
    CROSS JOIN LATERAL (
        SELECT * FROM messages AS m WHERE m.workspace_id = $1 AND m.send_id = w.send_id AND m.n = w.n OFFSET 0
    ) AS m
    WHERE $2::jsonb IS NULL OR m.attached <> '[]'
),
-- What many messages say alike is read once.
said AS MATERIALIZED (
    SELECT k.send_id, k.hash
    FROM (SELECT DISTINCT send_id, content_hash FROM waiting) AS w
    CROSS JOIN LATERAL (
        SELECT * FROM message_contents AS k
        WHERE k.workspace_id = $1 AND k.send_id = w.send_id AND k.hash = w.content_hash OFFSET 0
    ) AS k
    WHERE k.content -> 'attached' @> $2
       OR $3 <> '' AND (strpos(k.content ->> 'html', $3) > 0 OR strpos(k.content ->> 'text', $3) > 0)
)
(SELECT DISTINCT 'campaign' AS kind, s.campaign_id AS id FROM campaigns AS s
 CROSS JOIN LATERAL (SELECT * FROM send_contents AS k WHERE k.workspace_id = $1 AND k.send_id = s.id OFFSET 0) AS k
 WHERE k.content -> 'attached' @> $2
    OR $3 <> '' AND (strpos(k.content ->> 'html', $3) > 0 OR strpos(k.content ->> 'text', $3) > 0)
 ORDER BY id LIMIT 10)
UNION ALL
(SELECT 'message', w.id FROM said JOIN waiting AS w ON w.send_id = said.send_id AND w.content_hash = said.hash
 ORDER BY w.id LIMIT 10)
LIMIT 10
