-- Chunks whose turn is over, to be given back: behind the first that waits of another send on the same way, so that the
-- next to be leased is that one. They are still ours here; who is waiting is looked up by the index of what is pending.
-- $1 owner, $2 workspaces, $3 sends, $4 chunk numbers: one element a chunk
UPDATE chunks AS c
SET position = greatest(c.position, coalesce((
    SELECT min(w.position) FROM chunks AS w
    WHERE w.state = 'pending' AND w.priority = c.priority AND w.workspace_id = c.workspace_id AND w.send_id <> c.send_id
      AND w.provider_id IS NOT DISTINCT FROM c.provider_id AND w.route_id IS NOT DISTINCT FROM c.route_id
), 0) + 1)
FROM unnest($2::bigint[], $3::bigint[], $4::integer[]) AS g (workspace_id, send_id, chunk_no)
WHERE c.workspace_id = g.workspace_id AND c.send_id = g.send_id AND c.chunk_no = g.chunk_no
  AND c.state = 'leased' AND c.owner = $1
