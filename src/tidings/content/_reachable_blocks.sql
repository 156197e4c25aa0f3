-- The blocks of these names, and those that they render, and so on.
-- $1 workspace, $2 names
WITH RECURSIVE reachable AS (
    SELECT name, html_content, text_content, uses FROM blocks WHERE workspace_id = $1 AND name = ANY($2)
    UNION
    SELECT b.name, b.html_content, b.text_content, b.uses
    FROM reachable AS r
    JOIN blocks AS b ON b.workspace_id = $1 AND b.name = ANY(r.uses)
)
SELECT name, html_content, text_content, uses FROM reachable ORDER BY name
