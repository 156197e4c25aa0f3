-- What is still to go through a provider, or through a deleted route that has it: campaigns, and messages to single recipients.
-- $1 workspace, $2 provider
WITH ways AS (
    SELECT route_id FROM route_members WHERE workspace_id = $1 AND provider_id = $2
),
open AS (
    SELECT s.id, s.campaign_id FROM sends AS s
    WHERE s.workspace_id = $1 AND (s.provider_id = $2 OR s.route_id IN (SELECT route_id FROM ways))
      AND (
          s.campaign_id IS NOT NULL AND s.status IN ('preparing', 'running', 'paused')
          OR EXISTS (
              SELECT FROM chunks AS c WHERE c.workspace_id = s.workspace_id AND c.send_id = s.id AND c.state <> 'done'
          )
          OR EXISTS (SELECT FROM retries AS r WHERE r.workspace_id = s.workspace_id AND r.send_id = s.id)
      )
)
SELECT coalesce((SELECT array_agg(campaign_id ORDER BY campaign_id) FROM open WHERE campaign_id IS NOT NULL), '{}') AS campaigns,
       EXISTS (SELECT FROM open WHERE campaign_id IS NULL) AS messages
