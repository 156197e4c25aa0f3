-- Launched sends whose audience is to be numbered, the first first, and whether it can only be small: of lists, which have few.
-- $1 how many, $2 how many subscriptions are few
WITH these AS MATERIALIZED (
    SELECT workspace_id, id, list_ids, exclude_list_ids, segment_ids, exclude_segment_ids, provider_id, route_id, priority,
           created_at
    FROM sends
    WHERE status = 'preparing'
    ORDER BY priority, created_at, id
    LIMIT $1
    FOR UPDATE SKIP LOCKED
)
SELECT t.*,
       t.segment_ids = '{}' AND t.exclude_segment_ids = '{}' AND (
           SELECT count(*) FROM (
               SELECT FROM subscriptions AS b
               WHERE b.workspace_id = t.workspace_id AND b.list_id = ANY (t.list_ids) LIMIT $2::integer + 1
           ) AS few
       ) <= $2::integer AS small
FROM these AS t
ORDER BY t.priority, t.created_at, t.id
