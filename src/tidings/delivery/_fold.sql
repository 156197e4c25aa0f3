-- The next deliveries of a send that is over, after the last ones: who got the message, and when. Those still open (deferred,
-- unknown, queued again) are noted for later.
-- $1 workspace, $2 send, $3 the last n so far, $4 the last n of these
WITH passed AS (
    SELECT n, contact_id, state, at FROM deliveries WHERE workspace_id = $1 AND send_id = $2 AND n > $3 AND n <= $4
),
open AS (
    INSERT INTO unfolded_deliveries (workspace_id, send_id, n)
    SELECT $1, $2, n FROM passed WHERE state IN ('pending', 'deferred', 'unknown')
)
SELECT contact_id, at FROM passed WHERE state IN ('sent', 'delivered')
