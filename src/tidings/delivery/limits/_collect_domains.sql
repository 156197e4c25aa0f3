-- The domains of the next contacts, in the order of the primary key, and how far that is.
-- $1 workspace and $2 contact after which to go on, $3 how many
WITH batch AS MATERIALIZED (
    SELECT workspace_id, id, email FROM contacts WHERE (workspace_id, id) > ($1, $2) ORDER BY workspace_id, id LIMIT $3
),
last AS (SELECT workspace_id, id FROM batch ORDER BY workspace_id DESC, id DESC LIMIT 1)
SELECT last.workspace_id, last.id,
       ARRAY(SELECT DISTINCT lower(substring(email FROM '[^@]+$')) FROM batch WHERE email LIKE '%@%') AS domains
FROM last
