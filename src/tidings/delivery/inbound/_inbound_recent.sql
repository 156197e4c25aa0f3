-- The latest delivery of late to each of these addresses, for reports that say nothing else. $1 workspace, $2 addresses, $3 since when
SELECT DISTINCT ON (c.email) c.email, d.send_id, d.n
FROM contacts AS c
JOIN deliveries AS d ON d.workspace_id = c.workspace_id AND d.contact_id = c.id
WHERE c.workspace_id = $1 AND c.email = ANY ($2::text[]) AND d.at > $3 AND d.state IN ('sent', 'delivered', 'unknown', 'deferred')
ORDER BY c.email, d.send_id DESC
