-- _fetch.sql for messages to single recipients: the same columns in the same order, and behind them what only these have.
-- `skip`: a complaint stops everything, a dead address all but confirmations (pressing their button proves that it lives);
-- having unsubscribed stops what is marketing and nothing else.
-- $1 workspace, $2 send, $3 first n, $4 last n, $5 only these n (or null), $6 number of the chunk
SELECT d.n, coalesce(m.contact_id, 0) AS contact_id, m.to_email, m.first_name, m.last_name, m.phone, m.language, m.time_zone,
       m.tags, m.variables::text AS attributes, m.known_at,
       CASE
           WHEN m.id IS NULL THEN 'erased'
           WHEN s.reason NOT IN ('unsubscribed', 'bounced') OR (s.reason = 'bounced' AND m.kind <> 'confirmation')
                OR (s.reason = 'unsubscribed' AND m.kind = 'marketing')
               THEN 'suppressed:' || s.reason
           WHEN EXISTS (SELECT FROM suppressions AS y WHERE y.workspace_id = $1 AND y.domain IS NOT NULL)
                AND split_part(m.to_email, '@', -1) IN (
                    SELECT y.domain FROM suppressions AS y WHERE y.workspace_id = $1 AND y.domain IS NOT NULL)
               THEN 'suppressed:domain'
           WHEN c.status = 'complained' OR (c.status = 'bounced' AND m.kind <> 'confirmation')
                OR (c.status = 'unsubscribed' AND m.kind = 'marketing')
               THEN 'status:' || c.status
       END AS skip,
       d.unknowns, d.attempts,
       m.to_name, m.headers::text AS headers, m.attachments, m.content_hash
FROM deliveries AS d
JOIN sends AS o ON o.workspace_id = d.workspace_id AND o.id = d.send_id
LEFT JOIN messages AS m ON m.workspace_id = d.workspace_id AND m.send_id = d.send_id AND m.n = d.n
-- Looked up one by one, whatever the statistics say: to read all suppressions for each message seems cheap while they are few.
LEFT JOIN LATERAL (
    SELECT id, status FROM contacts WHERE workspace_id = $1 AND id >= m.contact_id ORDER BY id LIMIT 1
) AS c ON c.id = m.contact_id
LEFT JOIN LATERAL (
    SELECT address_hash, reason FROM suppressions
    WHERE workspace_id = $1 AND address_hash >= m.address_hash ORDER BY address_hash LIMIT 1
) AS s ON s.address_hash = m.address_hash
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
