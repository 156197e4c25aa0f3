-- Those that were handed over with a yes: how many of them moved, and, if asked for, which.
-- $1 workspaces, $2 sends, $3 n, $8 the provider that took it (0: not known): one element a delivery; $4 the state they get (sent or delivered); $5 now; $6 writer;
-- $7 the state they come from: pending, or, for a reply that was read after the lease was lost, unknown or, when the resend
-- was put off, deferred; $9 say which
WITH accepted AS (
    UPDATE deliveries AS d
    SET state = $4, at = $5, attempts = d.attempts + 1, possible_duplicate = d.unknowns > 0, detail = NULL,
        provider_id = nullif(a.provider_id, 0)
    FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $8::bigint[]) AS a (workspace_id, send_id, n, provider_id)
    WHERE d.workspace_id = a.workspace_id AND d.send_id = a.send_id AND d.n = a.n AND d.state = $7
    RETURNING d.workspace_id, d.send_id, d.n, d.possible_duplicate, d.provider_id
),
sums AS (
    SELECT workspace_id, send_id, provider_id, count(*) AS n, count(*) FILTER (WHERE possible_duplicate) AS duplicates
    FROM accepted GROUP BY workspace_id, send_id, provider_id
),
counted AS (
    INSERT INTO send_counters AS k
        (workspace_id, send_id, writer, pending, unknown, deferred, sent, delivered, accepted, possible_duplicates)
    SELECT workspace_id, send_id, $6,
           CASE WHEN $7 = 'pending'::delivery_state THEN -sum(n) ELSE 0 END,
           CASE WHEN $7 = 'unknown'::delivery_state THEN -sum(n) ELSE 0 END,
           CASE WHEN $7 = 'deferred'::delivery_state THEN -sum(n) ELSE 0 END,
           CASE WHEN $4 = 'sent'::delivery_state THEN sum(n) ELSE 0 END,
           CASE WHEN $4 = 'delivered'::delivery_state THEN sum(n) ELSE 0 END,
           sum(n), sum(duplicates)
    FROM sums GROUP BY workspace_id, send_id
    ON CONFLICT (workspace_id, send_id, writer) DO UPDATE SET
        pending = k.pending + excluded.pending,
        unknown = k.unknown + excluded.unknown,
        deferred = k.deferred + excluded.deferred,
        sent = k.sent + excluded.sent,
        delivered = k.delivered + excluded.delivered,
        accepted = k.accepted + excluded.accepted,
        possible_duplicates = k.possible_duplicates + excluded.possible_duplicates
    RETURNING 1
),
counted_by_provider AS (
    INSERT INTO provider_counters AS k (workspace_id, send_id, provider_id, writer, accepted)
    SELECT workspace_id, send_id, provider_id, $6, n FROM sums WHERE provider_id IS NOT NULL
    ON CONFLICT (workspace_id, send_id, provider_id, writer) DO UPDATE SET accepted = k.accepted + excluded.accepted
)
SELECT coalesce(sum(n), 0)::integer AS many,
       CASE WHEN $9 THEN (SELECT coalesce(array_agg(ARRAY[workspace_id, send_id, n]), '{}') FROM accepted) ELSE '{}' END AS which
FROM sums
