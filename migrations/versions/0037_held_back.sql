-- Deferred by a limit of ours, not by anybody's answer: a send is not over while some of them were never attempted.
ALTER TABLE retries ADD COLUMN held boolean NOT NULL DEFAULT false;
UPDATE retries AS r SET held = true
FROM deliveries AS d
WHERE d.workspace_id = r.workspace_id AND d.send_id = r.send_id AND d.n = r.n
  AND d.state = 'deferred' AND d.detail LIKE 'held back: %';
CREATE INDEX retries_held ON retries (workspace_id, send_id) WHERE held;

-- Set when its limits change, until those whom the old ones held back have been told to come at once.
ALTER TABLE providers ADD COLUMN limits_changed_at timestamptz;
CREATE INDEX providers_limits_changed ON providers (limits_changed_at) WHERE limits_changed_at IS NOT NULL;
