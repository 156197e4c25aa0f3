-- Templates at their current versions, newest first.
-- $1 workspace, $2 only ids below this (or null), $3 offset, $4 limit
SELECT t.id, t.name, v.version, v.subject, v.variables, t.created_at, t.updated_at
FROM templates AS t
JOIN template_versions AS v ON v.workspace_id = t.workspace_id AND v.template_id = t.id AND v.version = t.version
WHERE t.workspace_id = $1 AND t.deleted_at IS NULL AND ($2::bigint IS NULL OR t.id < $2)
ORDER BY t.id DESC
OFFSET $3 LIMIT $4
