-- For each of these names that any contact has a value of: how many contacts, of how many it cannot become the type, and
-- the first of those.
-- $1 workspace, $2 names, $3 types, $4 choices of them all
SELECT f.name, count(*) AS stored, count(*) FILTER (WHERE v.misfit) AS misfits, min(c.id) FILTER (WHERE v.misfit) AS first
FROM contacts AS c
JOIN unnest($2::text[], $3::field_type[]) AS f (name, type) ON c.attributes ? f.name
CROSS JOIN LATERAL (SELECT contact_field_value(c.attributes -> f.name, f.type, $4::text[]) IS NULL AS misfit OFFSET 0) AS v
WHERE c.workspace_id = $1 AND c.attributes <> '{}' AND c.attributes -> f.name <> 'null'
  -- Empty text says nothing, and is taken away where the type is not text.
  AND NOT (f.type <> 'text' AND btrim(c.attributes ->> f.name, E' \t\r\n') = '')
GROUP BY f.name
