-- Lists of the merged contact become the other's. Who left a list as either of the two has left it; else their own standing
-- counts where they have one: a confirmation that is still awaited stays awaited.
-- $1 workspace, $2 who stays, $3 who is merged, $4 now
INSERT INTO subscriptions AS b (workspace_id, list_id, contact_id, status, subscribed_at, unsubscribed_at)
SELECT workspace_id, list_id, $2, status, subscribed_at, unsubscribed_at
FROM subscriptions
WHERE workspace_id = $1 AND contact_id = $3
ORDER BY list_id
ON CONFLICT (workspace_id, list_id, contact_id) DO UPDATE
SET status = CASE WHEN excluded.status = 'unsubscribed' THEN excluded.status ELSE b.status END,
    subscribed_at = least(b.subscribed_at, excluded.subscribed_at),
    unsubscribed_at = CASE
        WHEN 'unsubscribed' IN (b.status, excluded.status)
        THEN coalesce(least(b.unsubscribed_at, excluded.unsubscribed_at), $4::timestamptz)
    END
