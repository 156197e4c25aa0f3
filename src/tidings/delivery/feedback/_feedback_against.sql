-- Remember what was told against deliveries: the gravest of each kind, at its first time.
-- $1 workspace, $2 sends, $3 n, $4 bounced, $5 failed, $6 complained at (or null), $7 class, $8 status: one element a delivery
INSERT INTO delivery_feedback AS f (workspace_id, send_id, n, bounced_at, failed_at, complained_at, bounce, status)
SELECT $1, send_id, n, bounced_at, failed_at, complained_at, bounce, status
FROM unnest($2::bigint[], $3::integer[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[], $7::text[], $8::text[])
    AS t (send_id, n, bounced_at, failed_at, complained_at, bounce, status)
ON CONFLICT (workspace_id, send_id, n) DO UPDATE SET
    bounced_at = least(f.bounced_at, excluded.bounced_at),
    failed_at = least(f.failed_at, excluded.failed_at),
    complained_at = least(f.complained_at, excluded.complained_at),
    bounce = CASE WHEN f.bounce = 'hard' OR excluded.bounce IS NULL THEN f.bounce ELSE excluded.bounce END,
    status = CASE WHEN f.bounce = 'hard' OR excluded.bounce IS NULL THEN f.status ELSE excluded.status END
