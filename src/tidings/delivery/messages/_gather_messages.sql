-- A rolling send that has more messages waiting than a worker takes at once: the first thousand of them become one chunk.
-- So a provider that is down does not fill the queue with rows that every claim has to pass by.
-- $1 how many chunks a send may have, $2 how many become one
WITH crowd AS (
    SELECT workspace_id, send_id FROM chunks WHERE state = 'pending' AND priority = 0
    GROUP BY workspace_id, send_id HAVING count(*) FILTER (WHERE first_n = last_n) > $1
    LIMIT 1
),
few AS (
    SELECT c.workspace_id, c.send_id, c.chunk_no, c.provider_id, c.route_id, c.position, c.ns
    FROM crowd AS w
    JOIN chunks AS c ON c.workspace_id = w.workspace_id AND c.send_id = w.send_id
    -- Only those of one message: what was gathered stays.
    WHERE c.state = 'pending' AND c.priority = 0 AND c.first_n = c.last_n
    ORDER BY c.position
    LIMIT $2
    FOR UPDATE OF c SKIP LOCKED
),
taken AS (
    DELETE FROM chunks AS c USING few AS s
    WHERE c.workspace_id = s.workspace_id AND c.send_id = s.send_id AND c.chunk_no = s.chunk_no
)
INSERT INTO chunks (workspace_id, send_id, chunk_no, provider_id, route_id, priority, position, first_n, last_n, ns)
SELECT workspace_id, send_id, (nextval('message_numbers') - 1) % 2147483647 + 1, provider_id, route_id, 0, min(position),
       min(ns[1]), max(ns[1]), array_agg(ns[1] ORDER BY ns[1])
FROM few
GROUP BY workspace_id, send_id, provider_id, route_id
RETURNING cardinality(ns) AS gathered
