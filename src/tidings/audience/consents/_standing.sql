-- What is known of an address: its contact, why it is suppressed, and its subscriptions to these lists.
-- $1 workspace, $2 address, $3 its hash, $4 lists
SELECT c.id AS contact_id,
       CASE  -- the strongest: somebody of the workspace shut the whole domain out, which no confirming lifts
           WHEN s.reason IS DISTINCT FROM 'complained' AND EXISTS (
               SELECT FROM suppressions AS y WHERE y.workspace_id = $1 AND y.domain = split_part($2, '@', -1)) THEN 'manual'
           ELSE coalesce(s.reason::text, CASE WHEN c.status <> 'active' THEN c.status::text END)
       END AS reason,
       b.list_ids,
       b.statuses
FROM (SELECT) AS one
LEFT JOIN contacts AS c ON c.workspace_id = $1 AND c.email = $2
LEFT JOIN suppressions AS s ON s.workspace_id = $1 AND s.address_hash = $3
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(list_id), '{}') AS list_ids, coalesce(array_agg(status::text), '{}') AS statuses
    FROM subscriptions
    WHERE workspace_id = $1 AND contact_id = c.id AND list_id = ANY ($4::bigint[])
) AS b
