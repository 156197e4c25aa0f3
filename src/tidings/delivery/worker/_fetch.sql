-- The recipients of a leased chunk that are still to be sent, with what a template may say of them, and `skip`:
-- why they may not be mailed at this moment, or null. Runs after the lease is committed, so whoever left before this
-- statement is seen here, and whoever leaves after it is announced to the worker (see _worker.py).
-- $1 workspace, $2 send, $3 first n, $4 last n, $5 only these n (or null), $6 number of the chunk
SELECT d.n, d.contact_id, c.email, c.first_name, c.last_name, c.phone, c.language, c.time_zone, c.tags,
       c.attributes::text AS attributes, c.created_at,
       CASE
           WHEN c.id IS NULL THEN CASE WHEN EXISTS (
               SELECT FROM contact_merges AS m WHERE m.workspace_id = d.workspace_id AND m.merged_id = d.contact_id
           ) THEN 'merged' ELSE 'erased' END
           WHEN s.address_hash IS NOT NULL THEN 'suppressed:' || s.reason
           WHEN EXISTS (SELECT FROM suppressions AS y WHERE y.workspace_id = $1 AND y.domain IS NOT NULL)
                AND split_part(c.email, '@', -1) IN (
                    SELECT y.domain FROM suppressions AS y WHERE y.workspace_id = $1 AND y.domain IS NOT NULL)  -- asked once; nearly nobody has any
               THEN 'suppressed:domain'
           WHEN c.status <> 'active' THEN 'status:' || c.status
           WHEN d.by_segment THEN (  -- as _recipients.py has it
               SELECT CASE
                          WHEN bool_or(b.status = 'unsubscribed' AND b.list_id = ANY (o.list_ids)) OR EXISTS (
                              SELECT FROM list_suppressions AS k
                              WHERE k.workspace_id = d.workspace_id AND k.list_id = ANY (o.list_ids)
                                AND k.address_hash = c.address_hash
                          ) THEN 'left_list'
                          WHEN bool_or(b.status = 'subscribed') THEN NULL
                          WHEN bool_or(b.status = 'unsubscribed') THEN 'left_list'
                          WHEN bool_or(b.status = 'pending') THEN 'not_confirmed'
                      END
               FROM subscriptions AS b
               WHERE b.workspace_id = d.workspace_id AND b.contact_id = d.contact_id)
           WHEN NOT EXISTS (
               SELECT FROM subscriptions AS b
               WHERE b.workspace_id = d.workspace_id AND b.list_id = ANY (o.list_ids)
                 AND b.contact_id = d.contact_id AND b.status = 'subscribed'
           ) THEN 'left_list'
       END AS skip,
       d.unknowns, d.attempts
FROM deliveries AS d
JOIN sends AS o ON o.workspace_id = d.workspace_id AND o.id = d.send_id
LEFT JOIN contacts AS c ON c.workspace_id = d.workspace_id AND c.id = d.contact_id
LEFT JOIN suppressions AS s ON s.workspace_id = c.workspace_id AND s.address_hash = c.address_hash
WHERE d.workspace_id = $1 AND d.send_id = $2 AND d.n BETWEEN $3 AND $4 AND d.state = 'pending'
  AND ($5::integer[] IS NULL OR d.n = ANY ($5)) AND o.status IN ('running', 'done')
  -- Who has a retry belongs to its chunk from then on, even while the first one is still open, or is given to another worker.
  AND d.n <> ALL (ARRAY(
      SELECT r.n FROM retries AS r
      WHERE $5::integer[] IS NULL AND r.workspace_id = $1 AND r.send_id = $2 AND r.n BETWEEN $3 AND $4
  ))
  -- And of two chunks of retries that name them, to the later: they have been out with the earlier one before.
  AND ($5::integer[] IS NULL OR NOT EXISTS (
      SELECT FROM chunks AS k
      WHERE k.workspace_id = $1 AND k.send_id = $2 AND k.chunk_no > $6 AND k.state <> 'done' AND d.n = ANY (k.ns)
  ))
ORDER BY d.n
