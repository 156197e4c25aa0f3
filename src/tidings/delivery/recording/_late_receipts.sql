-- Receipts of deliveries that arrived after those of their send had been gathered (_gather_receipts.sql): tried again, or found
-- to have arrived by a late report. Whoever was merged since is who they are now, and of who was deleted nothing is gathered.
-- The share lock makes a gatherer that is at work on the send finish first: then either it has them, or this does.
-- $1 workspaces, $2 sends, $3 n: one element a delivery
INSERT INTO contact_receipts AS r (workspace_id, contact_id, at)
SELECT late.workspace_id, late.contact_id, array_agg(late.second ORDER BY late.second)
FROM (
    SELECT d.workspace_id, c.id AS contact_id, (floor(extract(epoch FROM d.at)) - 946684800)::integer AS second
    FROM unnest($1::bigint[], $2::bigint[], $3::integer[]) AS a (workspace_id, send_id, n)
    JOIN sends AS s ON s.workspace_id = a.workspace_id AND s.id = a.send_id AND s.campaign_id IS NOT NULL
    JOIN deliveries AS d ON d.workspace_id = a.workspace_id AND d.send_id = a.send_id AND d.n = a.n
    LEFT JOIN contact_merges AS m ON m.workspace_id = d.workspace_id AND m.merged_id = d.contact_id
    JOIN contacts AS c ON c.workspace_id = d.workspace_id AND c.id = coalesce(m.into_id, d.contact_id)
    WHERE a.n <= s.gathered_n AND d.state IN ('sent', 'delivered')
    FOR SHARE OF s
) AS late
GROUP BY late.workspace_id, late.contact_id ORDER BY late.workspace_id, late.contact_id
ON CONFLICT (workspace_id, contact_id) DO UPDATE SET at = merged_times(r.at, excluded.at)
