-- Of two contacts that became one: what each did, as segments ask it, united; the newest thousand of a kind, oldest first.
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
        opened = (SELECT array_agg(s ORDER BY s) FROM (SELECT s FROM unnest(a.opened || excluded.opened) AS u (s) ORDER BY s DESC LIMIT 1000) AS newest),
        human_opened = (SELECT array_agg(s ORDER BY s) FROM (SELECT s FROM unnest(a.human_opened || excluded.human_opened) AS u (s) ORDER BY s DESC LIMIT 1000) AS newest),
        clicked = (SELECT array_agg(s ORDER BY s) FROM (SELECT s FROM unnest(a.clicked || excluded.clicked) AS u (s) ORDER BY s DESC LIMIT 1000) AS newest),
        human_clicked = (SELECT array_agg(s ORDER BY s) FROM (SELECT s FROM unnest(a.human_clicked || excluded.human_clicked) AS u (s) ORDER BY s DESC LIMIT 1000) AS newest),
        bounced = (SELECT array_agg(s ORDER BY s) FROM (SELECT s FROM unnest(a.bounced || excluded.bounced) AS u (s) ORDER BY s DESC LIMIT 1000) AS newest),
        complained = (SELECT array_agg(s ORDER BY s) FROM (SELECT s FROM unnest(a.complained || excluded.complained) AS u (s) ORDER BY s DESC LIMIT 1000) AS newest),
        unsubscribed = (SELECT array_agg(s ORDER BY s) FROM (SELECT s FROM unnest(a.unsubscribed || excluded.unsubscribed) AS u (s) ORDER BY s DESC LIMIT 1000) AS newest)
)
INSERT INTO contact_receipts AS a (workspace_id, contact_id, at)
SELECT workspace_id, $3::bigint, at FROM receipts
ON CONFLICT (workspace_id, contact_id) DO UPDATE SET
    at = (SELECT array_agg(s ORDER BY s) FROM (SELECT s FROM unnest(a.at || excluded.at) AS u (s) ORDER BY s DESC LIMIT 1000) AS newest)
