-- For each of these names that any contact has a value of: how many contacts, and of how many it cannot become the type.
-- $1 workspace, $2 names, $3 types, $4 choices of them all
SELECT f.name, count(*) AS stored,
       count(*) FILTER (WHERE contact_field_value(c.attributes -> f.name, f.type, $4::text[]) IS NULL) AS misfits
FROM contacts AS c
JOIN unnest($2::text[], $3::field_type[]) AS f (name, type) ON c.attributes ? f.name
WHERE c.workspace_id = $1 AND c.attributes <> '{}' AND c.attributes -> f.name <> 'null'
  -- Empty text says nothing, and is taken away where the type is not text.
  AND NOT (f.type <> 'text' AND btrim(c.attributes ->> f.name, E' \t\r\n') = '')
GROUP BY f.name
