-- Merge the staged rows into contacts: who is new is created with the status that a suppression of the address gives, who
-- is known keeps their status, and what was not told. Rows that change nothing are locked, not written.
-- In one order always, so that two imports of the same people wait for each other instead of deadlocking.
-- One index lookup a row, whatever the statistics say: they are old news in the middle of an import.
-- $1 workspace, $2 now
WITH merged AS (
    INSERT INTO contacts AS c (workspace_id, email, address_hash, first_name, last_name, phone, language, time_zone, tags,
                               attributes, status, created_at, updated_at)
    SELECT $1, r.email, r.address_hash, coalesce(r.first_name, ''), coalesce(r.last_name, ''), coalesce(r.phone, ''),
           coalesce(r.language, ''), coalesce(r.time_zone, ''), coalesce(r.tags, '{}'), coalesce(r.attributes, '{}'),
           coalesce(
               (SELECT CASE WHEN s.reason = 'manual' THEN 'unsubscribed' ELSE s.reason::text END::contact_status
                FROM suppressions AS s WHERE s.workspace_id = $1 AND s.address_hash = r.address_hash),
               'active'
           ),
           $2, $2
    FROM import_rows AS r
    ORDER BY r.email
    ON CONFLICT (workspace_id, email) DO UPDATE
    SET first_name = coalesce(nullif(excluded.first_name, ''), c.first_name),
        last_name = coalesce(nullif(excluded.last_name, ''), c.last_name),
        phone = coalesce(nullif(excluded.phone, ''), c.phone),
        language = coalesce(nullif(excluded.language, ''), c.language),
        time_zone = coalesce(nullif(excluded.time_zone, ''), c.time_zone),
        tags = c.tags || ARRAY(SELECT t FROM unnest(excluded.tags) WITH ORDINALITY AS u (t, o)
                               WHERE t <> ALL (c.tags) ORDER BY o),
        attributes = c.attributes || excluded.attributes,
        updated_at = $2
    WHERE (excluded.first_name <> '' AND excluded.first_name <> c.first_name)
       OR (excluded.last_name <> '' AND excluded.last_name <> c.last_name)
       OR (excluded.phone <> '' AND excluded.phone <> c.phone)
       OR (excluded.language <> '' AND excluded.language <> c.language)
       OR (excluded.time_zone <> '' AND excluded.time_zone <> c.time_zone)
       OR NOT excluded.tags <@ c.tags
       OR (excluded.attributes <> '{}' AND c.attributes || excluded.attributes <> c.attributes)
    RETURNING xmax = 0 AS is_new
)
SELECT count(*) FILTER (WHERE is_new)::integer AS created, count(*) FILTER (WHERE NOT is_new)::integer AS updated
FROM merged
