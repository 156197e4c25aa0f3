-- The contacts of the staged rows that were known before and are not yet on one of the lists that the rows name.
-- $1 workspace
SELECT c.id
FROM import_rows AS r
CROSS JOIN LATERAL (  -- see _new.sql
    SELECT id, email FROM contacts WHERE workspace_id = $1 AND email >= r.email ORDER BY email LIMIT 1
) AS c
WHERE c.email = r.email AND r.status IS DISTINCT FROM 'unlisted' AND EXISTS (
    SELECT FROM lists AS l
    WHERE l.workspace_id = $1 AND l.name = ANY (r.on_lists)
      AND NOT EXISTS (
          SELECT FROM subscriptions AS b WHERE b.workspace_id = $1 AND b.list_id = l.id AND b.contact_id = c.id))
