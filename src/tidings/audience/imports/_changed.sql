-- Known people become what the rows say, by the policy; rows that change nothing write nothing. Statuses stay. Says how many
-- changed, and how many are out.
-- Hash and merge joins are off in an import's transactions: the rows are few, the contacts many.
-- $1 workspace, $2 now, $3 tags for everybody, $4 policy (update, overwrite or skip), $5 custom fields with a column
WITH found AS MATERIALIZED (
        SELECT r.*, k.id, k.status <> 'active' AS is_out, coalesce(
            ($3::text[] <> '{}' AND NOT $3::text[] <@ k.tags)
               OR ($4 <> 'skip' AND (
                      ($4 = 'overwrite' AND (r.first_name <> k.first_name OR r.last_name <> k.last_name OR r.phone <> k.phone
                                             OR r.language <> k.language OR r.time_zone <> k.time_zone
                                             OR (r.tags IS NOT NULL AND r.tags || $3::text[] <> k.tags
                                                 AND NOT (r.tags || $3::text[] <@ k.tags AND k.tags <@ (r.tags || $3::text[])))
                                             OR (r.attributes IS NOT NULL
                                                 AND (k.attributes - $5::text[]) || r.attributes <> k.attributes)))
                   OR (r.first_name <> k.first_name AND r.first_name <> '')
                   OR (r.last_name <> k.last_name AND r.last_name <> '')
                   OR (r.phone <> k.phone AND r.phone <> '')
                   OR (r.language <> k.language AND r.language <> '')
                   OR (r.time_zone <> k.time_zone AND r.time_zone <> '')
                   OR ($4 = 'update' AND NOT r.tags <@ k.tags)
                   OR ($4 = 'update' AND r.attributes <> k.attributes AND k.attributes || r.attributes <> k.attributes)
               )), false) AS differs
        FROM import_rows AS r
        CROSS JOIN LATERAL (
            SELECT id, email, status, first_name, last_name, phone, language, time_zone, tags, attributes
            FROM contacts WHERE workspace_id = $1 AND email >= r.email ORDER BY email LIMIT 1
        ) AS k
        WHERE k.email = r.email
    ),
changed AS (
    UPDATE contacts AS c
    SET first_name = CASE WHEN $4 = 'skip' OR r.first_name IS NULL OR ($4 = 'update' AND r.first_name = '')
                     THEN c.first_name ELSE r.first_name END,
        last_name = CASE WHEN $4 = 'skip' OR r.last_name IS NULL OR ($4 = 'update' AND r.last_name = '')
                    THEN c.last_name ELSE r.last_name END,
        phone = CASE WHEN $4 = 'skip' OR r.phone IS NULL OR ($4 = 'update' AND r.phone = '')
                THEN c.phone ELSE r.phone END,
        language = CASE WHEN $4 = 'skip' OR r.language IS NULL OR ($4 = 'update' AND r.language = '')
                   THEN c.language ELSE r.language END,
        time_zone = CASE WHEN $4 = 'skip' OR r.time_zone IS NULL OR ($4 = 'update' AND r.time_zone = '')
                    THEN c.time_zone ELSE r.time_zone END,
        tags = CASE
                   WHEN $4 = 'overwrite' AND r.tags IS NOT NULL
                   THEN r.tags || ARRAY(SELECT t FROM unnest($3::text[]) AS t WHERE t <> ALL (r.tags))
                   ELSE c.tags || ARRAY(
                       SELECT t
                       FROM unnest(CASE WHEN $4 = 'skip' THEN $3::text[] ELSE coalesce(r.tags, '{}') || $3::text[] END)
                            WITH ORDINALITY AS u (t, o)
                       WHERE t <> ALL (c.tags) GROUP BY t ORDER BY min(o))
               END,
        attributes = CASE
                         WHEN $4 = 'skip' OR r.attributes IS NULL THEN c.attributes
                         WHEN $4 = 'overwrite' THEN (c.attributes - $5::text[]) || r.attributes
                         ELSE c.attributes || r.attributes
                     END,
        updated_at = $2
    FROM found AS r
    WHERE r.differs AND c.workspace_id = $1 AND c.id = r.id
    RETURNING 1
)
SELECT (SELECT count(*) FROM changed)::integer AS updated, (SELECT count(*) FROM found WHERE is_out)::integer AS suppressed
