-- Nothing goes through a provider any more, and nothing is measured of it; its row stays, as the name in history.
-- $1 workspace, $2 provider, $3 now, $4 what is kept of its credentials, under seal, or null
WITH members AS (
    DELETE FROM route_members WHERE workspace_id = $1 AND provider_id = $2
),
messages AS (
    DELETE FROM message_sends WHERE workspace_id = $1 AND provider_id = $2
),
warmup AS (
    DELETE FROM warmups WHERE workspace_id = $1 AND provider_id = $2
),
troubles AS (
    DELETE FROM provider_troubles WHERE workspace_id = $1 AND provider_id = $2
)
UPDATE providers SET deleted_at = $3, updated_at = $3, is_default = false, limits_changed_at = NULL, sealed_secret = $4
WHERE workspace_id = $1 AND id = $2
