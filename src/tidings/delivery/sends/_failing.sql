-- Running sends of campaigns of which more fail, or bounce, than their workspace puts up with. From counters alone.
-- $1 how many must have been attempted before their share says anything
SELECT workspace_id, id, reason
FROM (
    SELECT s.workspace_id, s.id, a.attempted,
           why_failing(a.attempted, a.failed, a.bounced, w.pause_failed_percent, w.pause_bounced_percent) AS reason
    FROM sends AS s
    JOIN workspaces AS w ON w.id = s.workspace_id
    CROSS JOIN LATERAL send_attempts(s.workspace_id, s.id) AS a
    WHERE s.status = 'running' AND s.campaign_id IS NOT NULL
) AS t
WHERE attempted >= $1 AND reason IS NOT NULL
