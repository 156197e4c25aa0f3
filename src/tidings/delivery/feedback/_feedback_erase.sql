-- Raw reports about messages to some of the contacts that were deleted lately, in the order of their deletion.
-- $1 deleted after, $2 workspace, $3 contact: where the step before this one ended; $4 contacts at once
WITH gone AS MATERIALIZED (
    SELECT workspace_id, contact_id, at FROM deleted_contacts
    WHERE at >= $1 AND (at, workspace_id, contact_id) > ($1, $2::bigint, $3::bigint)
    ORDER BY at, workspace_id, contact_id LIMIT $4
),
erased AS (
    DELETE FROM feedback AS f
    USING gone AS g
    -- OFFSET 0: by the index, one contact after the other, however few deliveries the planner believes there are.
    CROSS JOIN LATERAL (
        SELECT d.workspace_id, d.send_id, d.n FROM deliveries AS d
        WHERE d.workspace_id = g.workspace_id AND d.contact_id = g.contact_id OFFSET 0
    ) AS d
    WHERE f.workspace_id = d.workspace_id AND f.send_id = d.send_id AND f.n = d.n
)
SELECT at, workspace_id, contact_id FROM gone ORDER BY at DESC, workspace_id DESC, contact_id DESC LIMIT 1
