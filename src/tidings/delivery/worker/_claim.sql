-- Lease the next chunks. Transactional mail first (lower priority number), then by turns: `position` is a virtual time
-- at which the chunk would start if all sends shared fairly (start-time fair queueing, Goyal et al. 1996).
-- The choice is a CTE because a subquery may be run again for each row of an unlucky plan, and lease them all.
-- $1 owner, $2 lease in seconds, $3 how many, $4 workspace:provider:route (0: none) that have enough to do already,
-- $5 and $6 from which priority to which
WITH free AS (
    SELECT workspace_id, send_id, chunk_no
    FROM chunks
    WHERE state = 'pending' AND priority BETWEEN $5 AND $6 AND (workspace_id || ':' || coalesce(provider_id, 0) || ':' || coalesce(route_id, 0)) <> ALL ($4::text[])
    ORDER BY priority, position, send_id  -- of equals whoever came first: none is overtaken by all that come later
    LIMIT $3
    FOR UPDATE SKIP LOCKED
)
UPDATE chunks SET state = 'leased', owner = $1, lease_until = now() + make_interval(secs => $2)
FROM free
WHERE (chunks.workspace_id, chunks.send_id, chunks.chunk_no) = (free.workspace_id, free.send_id, free.chunk_no)
RETURNING chunks.workspace_id, chunks.send_id, chunks.chunk_no, chunks.provider_id,
          chunks.route_id, chunks.first_n, chunks.last_n, chunks.ns
