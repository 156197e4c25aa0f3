-- Take back receipts that were gathered (_gather_receipts.sql) of deliveries that are found not to have arrived after all. Runs
-- before they move, with a share lock on their sends, so that a gatherer has either been there or will see what they became.
-- Which of a contact's receipts it was: the nearest to when the delivery got to its state, of those since the send began. (To
-- be reported delivered moves a delivery's time by seconds, and its receipt keeps the time at which it was handed over.)
-- $1 workspace, $2 sends, $3 n: one element a delivery
WITH leaving AS MATERIALIZED (
    SELECT coalesce(m.into_id, d.contact_id) AS contact_id,
           (floor(extract(epoch FROM d.at)) - 946684800)::integer AS second,
           (floor(extract(epoch FROM s.created_at)) - 946684800)::integer AS since
    FROM unnest($2::bigint[], $3::integer[]) AS t (send_id, n)
    JOIN sends AS s ON s.workspace_id = $1 AND s.id = t.send_id AND t.n <= s.gathered_n
    JOIN deliveries AS d ON d.workspace_id = $1 AND d.send_id = t.send_id AND d.n = t.n AND d.state IN ('sent', 'delivered')
    LEFT JOIN contact_merges AS m ON m.workspace_id = $1 AND m.merged_id = d.contact_id
),
known AS MATERIALIZED (
    SELECT r.contact_id, r.at
    FROM contact_receipts AS r
    WHERE r.workspace_id = $1 AND r.contact_id = ANY (ARRAY(SELECT contact_id FROM leaving))
    ORDER BY r.contact_id
    FOR UPDATE
),
places AS (
    SELECT k.contact_id, place.i, count(*) AS many
    FROM leaving AS l
    JOIN known AS k ON k.contact_id = l.contact_id
    CROSS JOIN LATERAL (
        SELECT u.i FROM unnest(k.at) WITH ORDINALITY AS u (second, i)
        WHERE u.second >= l.since ORDER BY abs(u.second - l.second), u.i LIMIT 1
    ) AS place
    GROUP BY k.contact_id, place.i
),
kept AS MATERIALIZED (
    SELECT k.contact_id, ARRAY(
        SELECT u.second FROM unnest(k.at) WITH ORDINALITY AS u (second, i)
        WHERE NOT EXISTS (
            SELECT FROM places AS p WHERE p.contact_id = k.contact_id AND u.i >= p.i AND u.i < p.i + p.many
        )
        ORDER BY u.i
    ) AS at
    FROM known AS k
),
emptied AS (
    DELETE FROM contact_receipts AS r USING kept AS k
    WHERE r.workspace_id = $1 AND r.contact_id = k.contact_id AND k.at = '{}'
)
UPDATE contact_receipts AS r SET at = k.at FROM kept AS k
WHERE r.workspace_id = $1 AND r.contact_id = k.contact_id AND k.at <> '{}'
