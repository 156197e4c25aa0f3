-- Running sends of campaigns of which more fail, or bounce, than their workspace puts up with. From counters alone.
-- $1 how many must have been attempted before their share says anything
SELECT t.workspace_id, t.id,
       CASE WHEN t.failed * 100 > t.attempted * t.pause_failed_percent AND t.pause_failed_percent > 0
            THEN format('%s of %s attempts failed, more than %s %%', t.failed, t.attempted, t.pause_failed_percent)
            ELSE format('%s of %s attempts bounced, more than %s %%', t.bounced, t.attempted, t.pause_bounced_percent)
       END AS reason
FROM (
    SELECT s.workspace_id, s.id, w.pause_failed_percent, w.pause_bounced_percent,
           sum(k.sent + k.delivered + k.bounced + k.failed + k.unknown) - coalesce(min(b.attempted), 0) AS attempted,
           sum(k.failed) - coalesce(min(b.failed), 0) AS failed,
           sum(k.bounced) - coalesce(min(b.bounced), 0) AS bounced
    FROM sends AS s
    JOIN workspaces AS w ON w.id = s.workspace_id
    JOIN send_counters AS k ON k.workspace_id = s.workspace_id AND k.send_id = s.id
    LEFT JOIN send_baselines AS b ON b.workspace_id = s.workspace_id AND b.send_id = s.id
    WHERE s.status = 'running' AND s.campaign_id IS NOT NULL
    GROUP BY s.workspace_id, s.id, w.pause_failed_percent, w.pause_bounced_percent
) AS t
WHERE t.attempted >= $1
  AND (t.pause_failed_percent > 0 AND t.failed * 100 > t.attempted * t.pause_failed_percent
       OR t.pause_bounced_percent > 0 AND t.bounced * 100 > t.attempted * t.pause_bounced_percent)
