-- Who a send goes to: one row a contact that is subscribed to one of the lists and on none of the excluded ones, with
-- why they may not be mailed all the same, or null. A million rows in seconds: only index-ordered joins and hashes.
-- $1 workspace, $2 lists, $3 excluded lists
SELECT c.id AS contact_id,
       CASE
           WHEN s.reason IS NOT NULL THEN 'suppressed:' || s.reason
           WHEN c.status <> 'active' THEN 'status:' || c.status
       END AS skip_reason
FROM (
    SELECT DISTINCT contact_id
    FROM subscriptions
    WHERE workspace_id = $1 AND list_id = ANY ($2::bigint[]) AND status = 'subscribed'
) AS b
JOIN contacts AS c ON c.workspace_id = $1 AND c.id = b.contact_id
LEFT JOIN suppressions AS s ON s.workspace_id = $1 AND s.address_hash = c.address_hash
WHERE NOT EXISTS (
    SELECT
    FROM subscriptions AS x
    WHERE x.workspace_id = $1 AND x.list_id = ANY ($3::bigint[]) AND x.contact_id = c.id AND x.status <> 'unsubscribed'
)
