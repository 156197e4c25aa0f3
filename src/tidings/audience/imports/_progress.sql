-- Note what became of a batch, with the first hundred problems of all.
-- $1 workspace, $2 import, $3 processed, $4 created, $5 updated, $6 unchanged, $7 rejected, $8 suppressed, $9 problems,
-- $10 how many problems to keep, $11 now
UPDATE imports
SET status = 'running', started_at = coalesce(started_at, $11), processed = processed + $3, created = created + $4,
    updated = updated + $5, unchanged = unchanged + $6, rejected = rejected + $7, suppressed = suppressed + $8,
    total = greatest(total, processed + $3),
    problems = CASE
        WHEN jsonb_array_length($9::jsonb) = 0 OR jsonb_array_length(problems) >= $10::integer THEN problems
        ELSE jsonb_path_query_array(problems || $9::jsonb, '$[0 to $last]', jsonb_build_object('last', $10::integer - 1))
    END
WHERE workspace_id = $1 AND id = $2
