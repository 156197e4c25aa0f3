-- Say the same of many contacts. Returns those that exist, and whether anything changed; null leaves a column as it is.
-- $1 workspace, $2 contacts, $3… first name, last name, phone, language, time zone, $8 tags, $9 attributes to set, $10 names
-- of attributes to take away, $11 now
WITH target AS (
    SELECT c.id,
           (coalesce($3, c.first_name), coalesce($4, c.last_name), coalesce($5, c.phone), coalesce($6, c.language),
            coalesce($7, c.time_zone), coalesce($8, c.tags), (c.attributes || $9::jsonb) - $10::text[])
           IS DISTINCT FROM (c.first_name, c.last_name, c.phone, c.language, c.time_zone, c.tags, c.attributes) AS changed
    FROM contacts AS c
    WHERE c.workspace_id = $1 AND c.id = ANY ($2::bigint[])
    ORDER BY c.id
    FOR NO KEY UPDATE
),
written AS (
    UPDATE contacts AS c
    SET first_name = coalesce($3, c.first_name), last_name = coalesce($4, c.last_name), phone = coalesce($5, c.phone),
        language = coalesce($6, c.language), time_zone = coalesce($7, c.time_zone), tags = coalesce($8, c.tags),
        attributes = (c.attributes || $9::jsonb) - $10::text[], updated_at = $11
    FROM target AS t
    WHERE c.workspace_id = $1 AND c.id = t.id AND t.changed
)
SELECT id, changed FROM target
