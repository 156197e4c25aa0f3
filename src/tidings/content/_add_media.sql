-- An image as a row; the same bytes are the same row. What was deleted comes back under its new name.
INSERT INTO media AS m (workspace_id, hash, path, name, alt_text, content_type, size, width, height, frames, created_by,
    created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)
ON CONFLICT (workspace_id, hash) DO UPDATE SET
    name = CASE WHEN m.deleted_at IS NULL THEN m.name ELSE excluded.name END,
    alt_text = CASE WHEN m.deleted_at IS NULL THEN m.alt_text ELSE excluded.alt_text END,
    created_by = CASE WHEN m.deleted_at IS NULL THEN m.created_by ELSE excluded.created_by END,
    created_at = CASE WHEN m.deleted_at IS NULL THEN m.created_at ELSE excluded.created_at END,
    updated_at = CASE WHEN m.deleted_at IS NULL THEN m.updated_at ELSE excluded.updated_at END,
    deleted_at = NULL
RETURNING id, created_at = $12 AS is_new
