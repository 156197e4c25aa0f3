-- Of these sends, running ones of campaigns that more people complained about than their workspace puts up with.
-- $1 workspaces, $2 sends, $3 complaints (one element a send), $4 how many must have been attempted, $5 and have complained,
-- before their share says anything
SELECT s.workspace_id, s.id,
       format('%s of %s recipients complained, more than %s %%', c.complained - coalesce(b.complained, 0), k.attempted,
              trim_scale(w.pause_complained_percent)) AS reason
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS c (workspace_id, send_id, complained)
JOIN sends AS s ON s.workspace_id = c.workspace_id AND s.id = c.send_id AND s.status = 'running' AND s.campaign_id IS NOT NULL
JOIN workspaces AS w ON w.id = s.workspace_id AND w.pause_complained_percent > 0
CROSS JOIN LATERAL (
    SELECT sum(sent + delivered + bounced + failed + unknown) AS attempted
    FROM send_counters WHERE workspace_id = s.workspace_id AND send_id = s.id
) AS k
LEFT JOIN send_baselines AS b ON b.workspace_id = s.workspace_id AND b.send_id = s.id
WHERE k.attempted >= $4
  AND c.complained - coalesce(b.complained, 0) >= $5
  AND (c.complained - coalesce(b.complained, 0)) * 100 > k.attempted * w.pause_complained_percent
