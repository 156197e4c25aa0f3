-- A message to a single recipient, as _fetch_messages.sql has it, with what it says.
-- $1 workspace, $2 send, $3 n, $4 the contact that the token names, 0 for none
SELECT m.n, coalesce(m.contact_id, 0) AS contact_id, m.to_email, m.first_name, m.last_name, m.phone, m.language, m.time_zone,
       m.tags, m.variables::text AS attributes, m.known_at, c.content::text AS content
FROM messages AS m
JOIN message_contents AS c ON c.workspace_id = m.workspace_id AND c.send_id = m.send_id AND c.hash = m.content_hash
WHERE m.workspace_id = $1 AND m.send_id = $2 AND m.n = $3 AND coalesce(m.contact_id, 0) = $4
