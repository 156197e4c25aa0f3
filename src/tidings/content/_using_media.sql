-- Templates, as they are now, and blocks that show the image with this path; ten at most.
(SELECT 'template' AS kind, t.id FROM templates AS t
 JOIN template_versions AS v ON v.workspace_id = t.workspace_id AND v.template_id = t.id AND v.version = t.version
 WHERE t.workspace_id = $1 AND t.deleted_at IS NULL
   AND (strpos(v.html_content, $2) > 0 OR strpos(v.text_content, $2) > 0 OR strpos(v.source, $2) > 0)
 ORDER BY t.id LIMIT 10)
UNION ALL
(SELECT 'block', b.id FROM blocks AS b
 WHERE b.workspace_id = $1 AND (strpos(b.html_content, $2) > 0 OR strpos(b.text_content, $2) > 0)
 ORDER BY b.id LIMIT 10)
LIMIT 10
