-- Sends with no chunk left, and nobody held back, are done. Runs after the commit that finished a chunk: the last one to commit sees them all.
-- What failed too much to go on, had there been more, says so: many a campaign is through between two looks of pause_failing.
-- $1 workspaces, $2 sends, $3 now, $4 how many must have been attempted before their share says anything
UPDATE sends AS s SET status = 'done', finished_at = $3, reason = coalesce((
    SELECT why_failing(a.attempted, a.failed, a.bounced, w.pause_failed_percent, w.pause_bounced_percent)
    FROM workspaces AS w CROSS JOIN send_attempts(s.workspace_id, s.id) AS a
    WHERE w.id = s.workspace_id AND a.attempted >= $4
), '')
FROM unnest($1::bigint[], $2::bigint[]) AS f (workspace_id, send_id)
WHERE s.workspace_id = f.workspace_id AND s.id = f.send_id AND s.status = 'running'
  -- As it was when this statement began: else it may have been told to try again meanwhile, and what this statement sees of
  -- that is the row of the send alone. The next look ends it.
  AND s.xmin = (SELECT o.xmin FROM sends AS o WHERE o.workspace_id = s.workspace_id AND o.id = s.id)
  AND s.campaign_id IS NOT NULL -- a rolling send is over when nothing is added to it any more: see _message_upkeep.py
  AND NOT EXISTS (
      SELECT FROM chunks AS c WHERE c.workspace_id = s.workspace_id AND c.send_id = s.id AND c.state <> 'done'
  )
  AND NOT EXISTS (SELECT FROM send_retries AS q WHERE q.workspace_id = s.workspace_id AND q.send_id = s.id)
  -- Who was only held back by a limit was not attempted yet.
  AND NOT EXISTS (
      SELECT FROM retries AS r JOIN deliveries AS d ON d.workspace_id = r.workspace_id AND d.send_id = r.send_id AND d.n = r.n
      WHERE r.workspace_id = s.workspace_id AND r.send_id = s.id AND r.held AND d.state = 'deferred' AND d.attempts = 0
  )
RETURNING s.workspace_id, s.id, pg_notify('tidings_finished', s.workspace_id || ':' || s.id)
