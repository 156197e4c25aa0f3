-- Make the values that contacts have under these names ones of their types; what says nothing (empty text, null) is taken away.
-- $1 workspace, $2 names, $3 types, $4 choices of them all, $5 now
WITH told AS (
    SELECT c.id, f.name, c.attributes -> f.name AS value,
           contact_field_value(c.attributes -> f.name, f.type, $4::text[]) AS converted
    FROM contacts AS c
    JOIN unnest($2::text[], $3::field_type[]) AS f (name, type) ON c.attributes ? f.name
    WHERE c.workspace_id = $1 AND c.attributes <> '{}'
),
changed AS (
    SELECT id, array_agg(name) AS names,
           coalesce(jsonb_object_agg(name, converted) FILTER (WHERE converted IS NOT NULL), '{}') AS kept
    FROM told
    WHERE converted IS DISTINCT FROM value
    GROUP BY id
)
UPDATE contacts AS c
SET attributes = (c.attributes - h.names) || h.kept, updated_at = $5
FROM changed AS h
WHERE c.workspace_id = $1 AND c.id = h.id
