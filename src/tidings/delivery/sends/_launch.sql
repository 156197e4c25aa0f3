-- Number the audience: one delivery a recipient, dense and in contact order, so that a chunk is a range of the
-- primary key and its contacts lie side by side. Those who may not be mailed are numbered too, as skipped, with why.
-- $1 workspace, $2 send, $3 now, and from $4 on what the audience (filled in by _sends.py) needs
WITH audience AS ({audience}),
numbered AS (
    INSERT INTO deliveries (workspace_id, send_id, n, contact_id, by_segment, state, detail, at)
    SELECT $1, $2, row_number() OVER (ORDER BY contact_id), contact_id, by_segment,
           CASE WHEN skip_reason IS NULL THEN 'pending' ELSE 'skipped' END::delivery_state,
           skip_reason,
           CASE WHEN skip_reason IS NOT NULL THEN $3::timestamptz END
    FROM audience
    RETURNING state
)
SELECT count(*)::integer AS recipients,
       count(*) FILTER (WHERE state = 'skipped')::integer AS skipped
FROM numbered
