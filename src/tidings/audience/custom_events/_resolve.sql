-- Whose events are these? Contacts by id or by address; who was merged is found in whoever they are now. Locked, so that
-- nobody is deleted under their events.
-- $1 workspace, $2 contact ids, $3 addresses
WITH wanted AS (
    SELECT i AS told_id, NULL::text AS told_email, coalesce(m.into_id, i) AS id
    FROM unnest($2::bigint[]) AS i
    LEFT JOIN contact_merges AS m ON m.workspace_id = $1 AND m.merged_id = i
    UNION ALL
    SELECT NULL, e, coalesce(c.id, (
               SELECT m.into_id FROM contact_merges AS m
               WHERE m.workspace_id = $1 AND m.email = e ORDER BY m.at DESC LIMIT 1))
    FROM unnest($3::text[]) AS e
    LEFT JOIN contacts AS c ON c.workspace_id = $1 AND c.email = e
)
SELECT w.told_id, w.told_email, c.id
FROM wanted AS w
JOIN contacts AS c ON c.workspace_id = $1 AND c.id = w.id
ORDER BY c.id
FOR KEY SHARE OF c
