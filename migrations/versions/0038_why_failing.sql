-- What counts when it is asked whether a send fails: its attempts since a person last let it go on.
CREATE FUNCTION send_attempts(workspace bigint, send bigint, OUT attempted bigint, OUT failed bigint, OUT bounced bigint)
RETURNS SETOF record LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT sum(k.sent + k.delivered + k.bounced + k.failed + k.unknown)::bigint - coalesce(min(b.attempted), 0),
           sum(k.failed)::bigint - coalesce(min(b.failed), 0),
           sum(k.bounced)::bigint - coalesce(min(b.bounced), 0)
    FROM send_counters AS k
    LEFT JOIN send_baselines AS b ON b.workspace_id = k.workspace_id AND b.send_id = k.send_id
    WHERE k.workspace_id = workspace AND k.send_id = send
$$;

-- In words, which of the workspace's limits these attempts pass; null: none.
CREATE FUNCTION why_failing(attempted bigint, failed bigint, bounced bigint, failed_percent integer, bounced_percent integer)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN failed_percent > 0 AND failed * 100 > attempted * failed_percent
        THEN format('%s of %s attempts failed, more than %s %%', failed, attempted, failed_percent)
        WHEN bounced_percent > 0 AND bounced * 100 > attempted * bounced_percent
        THEN format('%s of %s attempts bounced, more than %s %%', bounced, attempted, bounced_percent)
    END
$$;
