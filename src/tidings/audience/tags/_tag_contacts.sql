-- Tag and untag contacts, and say what became of each: changed, same, or full (it would have too many; not written).
-- $1 workspace, $2 contacts, $3 tags to add, $4 tags to remove, $5 now
WITH target AS (
    SELECT c.id, c.tags AS old,
           ARRAY(SELECT t FROM unnest(c.tags) WITH ORDINALITY AS u (t, o) WHERE t <> ALL ($4::text[]) OR t = ANY ($3::text[]) ORDER BY o)
           || ARRAY(SELECT t FROM unnest($3::text[]) WITH ORDINALITY AS u (t, o) WHERE t <> ALL (c.tags) ORDER BY o) AS new
    FROM contacts AS c
    WHERE c.workspace_id = $1 AND c.id = ANY ($2::bigint[])
    ORDER BY c.id
    FOR NO KEY UPDATE
),
changed AS (
    UPDATE contacts AS c SET tags = t.new, updated_at = $5
    FROM target AS t
    WHERE c.workspace_id = $1 AND c.id = t.id AND t.new <> t.old AND cardinality(t.new) <= 100
    RETURNING c.id
)
SELECT t.id,
       CASE WHEN h.id IS NOT NULL THEN 'changed' WHEN t.new <> t.old THEN 'full' ELSE 'same' END AS outcome
FROM target AS t LEFT JOIN changed AS h ON h.id = t.id
