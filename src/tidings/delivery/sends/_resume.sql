-- Free a send's held chunks. Its turn counts from now: it must not make up for the time that it stood still.
-- $1 workspace, $2 send
WITH held AS (
    SELECT min(position) AS first, min(priority) AS priority FROM chunks
    WHERE workspace_id = $1 AND send_id = $2 AND state = 'held'
),
shift AS (
    SELECT greatest(0, coalesce((
        SELECT position FROM chunks WHERE state = 'pending' AND priority = held.priority ORDER BY position LIMIT 1
    ), 0) - first) AS by
    FROM held
)
UPDATE chunks AS c SET state = 'pending', position = c.position + shift.by
FROM shift
WHERE c.workspace_id = $1 AND c.send_id = $2 AND c.state = 'held'
