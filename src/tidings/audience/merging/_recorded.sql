-- Whoever was merged into the merged one is the one who stays now, too: one look always finds a person.
-- $1 workspace, $2 who stays, $3 who was merged, $4 their address, $5 now
WITH earlier AS (
    UPDATE contact_merges SET into_id = $2 WHERE workspace_id = $1 AND into_id = $3
)
INSERT INTO contact_merges (workspace_id, merged_id, into_id, email, at) VALUES ($1, $3, $2, $4, $5)
