-- Sends, and what they say. $1 an array of objects, in the order of the ids that they get; $2 now
WITH given AS MATERIALIZED (
    SELECT *
    FROM jsonb_to_recordset($1::jsonb) AS g (
        place integer, workspace_id bigint, campaign_id bigint, provider_id bigint, route_id bigint, priority smallint,
        list_ids bigint[], exclude_list_ids bigint[], segment_ids bigint[], exclude_segment_ids bigint[],
        template_id bigint, template_version integer, content jsonb, links text[])
),
made AS (
    INSERT INTO sends (workspace_id, campaign_id, provider_id, route_id, priority, list_ids, exclude_list_ids, segment_ids,
        exclude_segment_ids, created_at)
    SELECT workspace_id, campaign_id, provider_id, route_id, priority, list_ids, exclude_list_ids, segment_ids,
           exclude_segment_ids, $2::timestamptz
    FROM given
    ORDER BY place
    RETURNING workspace_id, id, campaign_id
),
contents AS (
    INSERT INTO send_contents (workspace_id, send_id, template_id, template_version, content, links)
    SELECT m.workspace_id, m.id, g.template_id, g.template_version, g.content, g.links
    FROM made AS m
    JOIN given AS g ON g.workspace_id = m.workspace_id AND g.campaign_id = m.campaign_id
)
SELECT workspace_id, id, campaign_id FROM made
