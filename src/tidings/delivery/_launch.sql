-- Number the audience: one delivery a recipient, dense and in contact order, so that a chunk is a range of the
-- primary key and its contacts lie side by side. Those who may not be mailed are numbered too, as skipped, with why.
-- $1 workspace, $2 lists, $3 excluded lists, $4 send, $5 now
WITH audience AS ({audience}),
numbered AS (
    INSERT INTO deliveries (workspace_id, send_id, n, contact_id, state, detail, at)
    SELECT $1, $4, row_number() OVER (ORDER BY contact_id), contact_id,
           CASE WHEN skip_reason IS NULL THEN 'pending' ELSE 'skipped' END::delivery_state,
           skip_reason,
           CASE WHEN skip_reason IS NOT NULL THEN $5::timestamptz END
    FROM audience
    RETURNING state
)
SELECT count(*)::integer AS recipients,
       count(*) FILTER (WHERE state = 'skipped')::integer AS skipped
FROM numbered
