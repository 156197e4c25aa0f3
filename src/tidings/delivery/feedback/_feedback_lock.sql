-- Deliveries that reports are about, locked in the order of their keys, and what was told of them before.
-- `in_hand`: a worker has it at this moment. $1 workspace, $2 sends, $3 n: one element a delivery
SELECT d.send_id, d.n, d.contact_id, d.state::text AS state, d.attempts, d.unknowns,
       CASE WHEN f.bounced_at IS NOT NULL THEN 'bounced' WHEN f.failed_at IS NOT NULL THEN 'failed' END AS told,
       f.complained_at IS NOT NULL AS complained,
       d.state = 'pending' AND d.unknowns > 0 AND EXISTS (
           SELECT FROM chunks AS c
           WHERE c.workspace_id = $1 AND c.send_id = d.send_id AND c.state = 'leased'
             AND d.n BETWEEN c.first_n AND c.last_n AND (c.ns IS NULL OR d.n = ANY (c.ns))
       ) AS in_hand
FROM unnest($2::bigint[], $3::integer[]) AS t (send_id, n)
JOIN deliveries AS d ON d.workspace_id = $1 AND d.send_id = t.send_id AND d.n = t.n
LEFT JOIN delivery_feedback AS f ON f.workspace_id = $1 AND f.send_id = t.send_id AND f.n = t.n
ORDER BY d.send_id, d.n
FOR UPDATE OF d
