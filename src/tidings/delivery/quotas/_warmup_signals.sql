-- What mailbox providers and recipients said of a provider's messages, by recipient domain.
-- $1 workspace, $2 provider, $3 since, $4 until
WITH told AS MATERIALIZED (                                -- first, by their index: a day has few of them, and many deliveries
    SELECT type, send_id, n FROM events
    WHERE workspace_id = $1 AND at > $3 AND at <= $4 AND type IN ('bounced', 'complained')
)
SELECT e.type, coalesce(a.domain, '') AS domain, coalesce(r.mailbox_provider, '') AS mailbox_provider,
       count(DISTINCT (e.send_id, e.n)) AS messages
FROM told AS e
JOIN deliveries AS d ON d.workspace_id = $1 AND d.send_id = e.send_id AND d.n = e.n AND d.provider_id = $2
LEFT JOIN contacts AS c ON c.workspace_id = $1 AND c.id = d.contact_id
LEFT JOIN messages AS m ON d.contact_id IS NULL AND m.workspace_id = $1 AND m.send_id = d.send_id AND m.n = d.n
CROSS JOIN LATERAL (SELECT lower(substring(coalesce(c.email, m.to_email) FROM '[^@]*$'))) AS a (domain)
LEFT JOIN recipient_domains AS r ON r.domain = a.domain
GROUP BY e.type, a.domain, r.mailbox_provider
