-- Take the oldest notifications out of the inbox: of the workspace that the oldest of all is of, so many and no more bytes.
-- $1 how many, $2 bytes
WITH waiting AS (
    SELECT workspace_id, id, sum(octet_length(payload)) OVER (ORDER BY id) - octet_length(payload) AS before
    FROM (
        SELECT i.workspace_id, i.id, i.payload FROM notification_inbox AS i
        WHERE i.workspace_id = (SELECT workspace_id FROM notification_inbox ORDER BY id LIMIT 1)
        ORDER BY i.id LIMIT $1
    ) AS oldest
),
taken AS (
    DELETE FROM notification_inbox AS i USING waiting AS w
    WHERE w.before < $2 AND i.workspace_id = w.workspace_id AND i.id = w.id
    RETURNING i.*
)
SELECT workspace_id, provider_id, kind, received_at, nonce, payload FROM taken ORDER BY id
