-- Who is not known yet becomes a contact, with the status that a suppression of the address gives. The next
-- address is looked for, not the same: in that order only the index by address has them, whatever the statistics say; so
-- with suppressions. In the order of the staged rows, which is by address: two imports of the same people wait for each
-- other instead of deadlocking.
-- $1 workspace, $2 now, $3 tags for everybody
WITH fresh AS (
    INSERT INTO contacts (workspace_id, email, address_hash, first_name, last_name, phone, language, time_zone, tags,
                          attributes, status, created_at, updated_at)
    SELECT $1, r.email, r.address_hash, coalesce(r.first_name, ''), coalesce(r.last_name, ''), coalesce(r.phone, ''),
           coalesce(r.language, ''), coalesce(r.time_zone, ''),
           CASE
               WHEN r.tags IS NULL THEN $3::text[]
               WHEN $3::text[] = '{}' THEN r.tags
               ELSE r.tags || ARRAY(SELECT t FROM unnest($3::text[]) AS t WHERE t <> ALL (r.tags))
           END,
           coalesce(r.attributes, '{}'),
           coalesce(
               (SELECT CASE WHEN s.reason = 'manual' THEN 'unsubscribed' ELSE s.reason::text END::contact_status
                FROM (SELECT address_hash, reason FROM suppressions
                      WHERE workspace_id = $1 AND address_hash >= r.address_hash ORDER BY address_hash LIMIT 1) AS s
                WHERE s.address_hash = r.address_hash),
               'active'
           ),
           $2, $2
    FROM import_rows AS r
    LEFT JOIN LATERAL (
        SELECT email FROM contacts WHERE workspace_id = $1 AND email >= r.email ORDER BY email LIMIT 1
    ) AS k ON k.email = r.email
    WHERE k.email IS NULL
    RETURNING status
)
SELECT count(*)::integer AS created, (count(*) FILTER (WHERE status <> 'active'))::integer AS suppressed FROM fresh
