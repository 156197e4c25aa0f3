-- The oldest messages that wait to be read: reports of the workspace that the oldest of all is of. $1 how many
SELECT workspace_id, id, received_at, source, sender, recipient, digest, content FROM inbound_messages AS i
WHERE state = 'waiting' AND workspace_id = (
    SELECT workspace_id FROM inbound_messages
    WHERE state = 'waiting' AND recipient NOT LIKE '%+unsubscribe@%' ORDER BY id LIMIT 1
) AND recipient NOT LIKE '%+unsubscribe@%'
ORDER BY id LIMIT $1
