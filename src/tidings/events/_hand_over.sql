-- Of two contacts that became one: what each did, as segments ask it, united as `_record.sql` adds to it.
-- $1 workspace, $2 who was merged, $3 who they are now
WITH activity AS (
    DELETE FROM contact_activity WHERE workspace_id = $1 AND contact_id = $2 RETURNING *
),
receipts AS (
    DELETE FROM contact_receipts WHERE workspace_id = $1 AND contact_id = $2 RETURNING *
),
united AS (
    INSERT INTO contact_activity AS a (workspace_id, contact_id, opened, human_opened, clicked, human_clicked, bounced, complained, unsubscribed)
    SELECT workspace_id, $3::bigint, opened, human_opened, clicked, human_clicked, bounced, complained, unsubscribed FROM activity
    ON CONFLICT (workspace_id, contact_id) DO UPDATE SET
        opened = merged_times(a.opened, excluded.opened),
        human_opened = merged_times(a.human_opened, excluded.human_opened),
        clicked = merged_times(a.clicked, excluded.clicked),
        human_clicked = merged_times(a.human_clicked, excluded.human_clicked),
        bounced = merged_times(a.bounced, excluded.bounced),
        complained = merged_times(a.complained, excluded.complained),
        unsubscribed = merged_times(a.unsubscribed, excluded.unsubscribed)
)
INSERT INTO contact_receipts AS a (workspace_id, contact_id, at)
SELECT workspace_id, $3::bigint, at FROM receipts
ON CONFLICT (workspace_id, contact_id) DO UPDATE SET at = merged_times(a.at, excluded.at)
