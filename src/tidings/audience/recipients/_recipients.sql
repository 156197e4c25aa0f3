-- Who a send goes to: one row a contact of its audience, with whether only a segment brought them (leaving no list takes
-- them out then), and why they may not be mailed all the same, or null. A million rows in some two seconds.
-- $1 workspace; what is in braces is filled in by _recipients.py: `chosen` selects (id, by_segment, objection), `apart` leaves
-- out segments
SELECT c.id AS contact_id,
       chosen.by_segment,
       CASE
           WHEN s.reason IS NOT NULL THEN 'suppressed:' || s.reason
           WHEN EXISTS (SELECT FROM suppressions AS y WHERE y.workspace_id = $1 AND y.domain IS NOT NULL)
                AND split_part(c.email, '@', -1) IN (
                    SELECT y.domain FROM suppressions AS y WHERE y.workspace_id = $1 AND y.domain IS NOT NULL)
               THEN 'suppressed:domain'
           WHEN c.status <> 'active' THEN 'status:' || c.status
           WHEN chosen.by_segment AND c.address_hash IN (  -- whoever is on the list has a subscription that says it
               SELECT k.address_hash FROM list_suppressions AS k
               WHERE k.workspace_id = $1 AND k.list_id = ANY ({lists}::bigint[])
           ) THEN 'left_list'
           ELSE chosen.objection
       END AS skip_reason
FROM ({chosen}) AS chosen
JOIN contacts AS c ON c.workspace_id = $1 AND c.id = chosen.id
LEFT JOIN suppressions AS s ON s.workspace_id = $1 AND s.address_hash = c.address_hash
WHERE NOT EXISTS (
    SELECT
    FROM subscriptions AS x
    WHERE x.workspace_id = $1 AND x.list_id = ANY ({excluded_lists}::bigint[]) AND x.contact_id = c.id
      AND x.status <> 'unsubscribed'
){apart}
