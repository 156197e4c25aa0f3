-- Cut a numbered audience into chunks. Its turn begins now: at the least position still waiting at its priority.
-- $1 workspace, $2 send, $3 provider, $4 priority, $5 chunk size, $6 recipients, $7 route; of $3 and $7 one is null
INSERT INTO chunks (workspace_id, send_id, chunk_no, provider_id, route_id, priority, position, first_n, last_n)
SELECT $1, $2, k, $3, $7, $4, now.position + k, k * $5::integer + 1, least((k + 1) * $5::integer, $6::integer)
FROM generate_series(0, ($6::integer - 1) / $5::integer) AS k,
     (SELECT coalesce((SELECT position FROM chunks WHERE state = 'pending' AND priority = $4 ORDER BY position LIMIT 1), 0) AS position) AS now
WHERE $6::integer > 0
