-- The next version of a template, made its current one.
-- $1 workspace, $2 template, $3 subject, $4 html, $5 text, $6 variables, $7 by, $8 now, $9 strict, $10 blocks,
-- $11 source type, $12 source, $13 inline CSS, $14 attachments, $15 preheader
WITH next AS (
    UPDATE templates SET version = version + 1, updated_at = $8
    WHERE workspace_id = $1 AND id = $2
    RETURNING version
)
INSERT INTO template_versions
    (workspace_id, template_id, version, subject, html_content, text_content, variables, created_by, created_at, strict, blocks,
     source_type, source, inline_css, attachment_ids, preheader)
SELECT $1, $2, next.version, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15 FROM next
