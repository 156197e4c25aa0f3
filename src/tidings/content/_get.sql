-- A template that is not deleted, at its current version or at version $3.
-- $1 workspace, $2 template, $3 version or null
SELECT t.id, t.name, v.version, v.subject, v.variables, t.created_at, t.updated_at, v.html_content, v.text_content, v.strict,
    v.source_type, v.source, v.inline_css, v.attachment_ids, v.preheader
FROM templates AS t
JOIN template_versions AS v
    ON v.workspace_id = t.workspace_id AND v.template_id = t.id AND v.version = coalesce($3, t.version)
WHERE t.workspace_id = $1 AND t.id = $2 AND t.deleted_at IS NULL
