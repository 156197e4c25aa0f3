-- Deliveries that were open when their send was folded and have come to an end since.
-- $1 how many at most
WITH ended AS (
    SELECT u.workspace_id, u.send_id, u.n, d.contact_id, d.state, d.at
    FROM unfolded_deliveries AS u
    JOIN deliveries AS d ON d.workspace_id = u.workspace_id AND d.send_id = u.send_id AND d.n = u.n
    WHERE d.state NOT IN ('pending', 'deferred', 'unknown')
    ORDER BY u.workspace_id, u.send_id, u.n
    LIMIT $1
    FOR UPDATE OF u SKIP LOCKED
),
gone AS (
    DELETE FROM unfolded_deliveries AS u USING ended AS e
    WHERE (u.workspace_id, u.send_id, u.n) = (e.workspace_id, e.send_id, e.n)
)
SELECT workspace_id, contact_id, state IN ('sent', 'delivered') AS got, at FROM ended
