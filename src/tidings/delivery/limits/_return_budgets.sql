-- Give back what was taken of the limits of periods and not used. The rows of `budgets` are locked.
-- $1 workspace, $2 provider; one element a return: $3 scopes, $4 when they were taken (seconds since 1970), $5 how many
UPDATE budget_uses AS u SET taken = greatest(0, u.taken - r.many)
FROM (
    SELECT t.scope, p.seconds, floor(t.taken_at / p.length)::bigint AS part, sum(t.many)::bigint AS many
    FROM unnest($3::text[], $4::float8[], $5::integer[]) AS t (scope, taken_at, many)
    CROSS JOIN (VALUES (60, 1), (3600, 60), (86400, 1200)) AS p (seconds, length)
    GROUP BY t.scope, p.seconds, floor(t.taken_at / p.length)
) AS r
WHERE u.workspace_id = $1 AND u.provider_id = $2 AND u.scope = r.scope AND u.seconds = r.seconds AND u.part = r.part
