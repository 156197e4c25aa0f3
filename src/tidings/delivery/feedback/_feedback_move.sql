-- Move deliveries, which are locked, to the states that were decided, with their counters; nothing more is tried with them.
-- $1 workspace, $2 sends, $3 n, $4 states before, $5 states after, $6 times, $7 details, $8 handed over without being counted
-- so far, $9 perhaps twice: one element a delivery; $10 writer
WITH moved AS MATERIALIZED (
    SELECT * FROM unnest($2::bigint[], $3::integer[], $4::delivery_state[], $5::delivery_state[], $6::timestamptz[],
                         $7::text[], $8::boolean[], $9::boolean[])
        AS t (send_id, n, before, after, at, detail, taken, twice)
),
updated AS (
    UPDATE deliveries AS d
    SET state = m.after, at = m.at, detail = m.detail, attempts = greatest(d.attempts, 1),
        possible_duplicate = d.possible_duplicate OR m.twice
    FROM moved AS m
    WHERE d.workspace_id = $1 AND d.send_id = m.send_id AND d.n = m.n
),
never_again AS (
    DELETE FROM retries AS r USING moved AS m
    WHERE m.taken AND r.workspace_id = $1 AND r.send_id = m.send_id AND r.n = m.n
)
INSERT INTO send_counters AS k (workspace_id, send_id, writer, pending, sent, delivered, deferred, bounced, failed, skipped,
    unknown, cancelled, accepted, possible_duplicates)
SELECT $1, send_id, $10,
       -count(*) FILTER (WHERE before = 'pending'), -count(*) FILTER (WHERE before = 'sent'),
       count(*) FILTER (WHERE after = 'delivered') - count(*) FILTER (WHERE before = 'delivered'),
       -count(*) FILTER (WHERE before = 'deferred'),
       count(*) FILTER (WHERE after = 'bounced'),
       count(*) FILTER (WHERE after = 'failed') - count(*) FILTER (WHERE before = 'failed'),
       -count(*) FILTER (WHERE before = 'skipped'), -count(*) FILTER (WHERE before = 'unknown'),
       -count(*) FILTER (WHERE before = 'cancelled'),
       count(*) FILTER (WHERE taken), count(*) FILTER (WHERE twice)
FROM moved GROUP BY send_id ORDER BY send_id
ON CONFLICT (workspace_id, send_id, writer) DO UPDATE SET
    pending = k.pending + excluded.pending, sent = k.sent + excluded.sent, delivered = k.delivered + excluded.delivered,
    deferred = k.deferred + excluded.deferred, bounced = k.bounced + excluded.bounced, failed = k.failed + excluded.failed,
    skipped = k.skipped + excluded.skipped, unknown = k.unknown + excluded.unknown,
    cancelled = k.cancelled + excluded.cancelled, accepted = k.accepted + excluded.accepted,
    possible_duplicates = k.possible_duplicates + excluded.possible_duplicates
