-- Sends that have a delivery for each of two contacts, and how far each got: reached, perhaps reached, in a worker's hands,
-- still to come, never to come. Locks all deliveries of both, in the order of their keys.
-- $1 workspace, $2 and $3 the contacts
WITH locked AS (
    SELECT d.send_id, d.n, d.contact_id, d.state
    FROM deliveries AS d
    WHERE d.workspace_id = $1 AND d.contact_id IN ($2, $3)
    ORDER BY d.send_id, d.n
    FOR UPDATE
),
ranked AS (
    SELECT l.send_id, l.contact_id,
           CASE
               WHEN l.state IN ('sent', 'delivered') THEN 4
               WHEN l.state = 'unknown' THEN 3
               WHEN l.state = 'pending' AND EXISTS (
                   SELECT FROM chunks AS c
                   WHERE c.workspace_id = $1 AND c.send_id = l.send_id AND c.state = 'leased'
                     AND l.n BETWEEN c.first_n AND c.last_n
               ) THEN 2
               WHEN l.state IN ('pending', 'deferred') THEN 1
               ELSE 0
           END AS got
    FROM locked AS l
)
SELECT a.send_id, a.got AS theirs, b.got AS own
FROM ranked AS a
JOIN ranked AS b ON b.send_id = a.send_id AND b.contact_id = $3
WHERE a.contact_id = $2
