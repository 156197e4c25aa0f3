-- What happened to a contact, newest first: each source gives its newest below the cursor by an index of its own, and the
-- newest of all those are the page. Whoever was merged into the contact is the same person.
--
-- `source` and `id` make the order total: (at, source, id) is the cursor. `at <= $3` is what the indexes walk; the rest only
-- sorts out what happened in the same microsecond.
-- $1 workspace, $2 contact, $3 at, $4 source, $5 id: below this; $6 how many; $7 kinds (null: all)
WITH person AS MATERIALIZED (
    SELECT $2::bigint AS id
    UNION ALL
    SELECT merged_id FROM contact_merges WHERE workspace_id = $1 AND into_id = $2
),
page AS MATERIALIZED (
    (   -- What they did with messages, and what servers said of them.
        SELECT e.at, 9 AS source, e.id, e.type AS kind, e.send_id,
               e.data || jsonb_strip_nulls(jsonb_build_object('agent', nullif(e.agent, ''), 'n', e.n)) AS data
        FROM person AS p
        CROSS JOIN LATERAL (
            SELECT * FROM events AS e
            WHERE e.workspace_id = $1 AND e.contact_id = p.id AND e.at <= $3 AND (e.at < $3 OR (9, e.id) < ($4::integer, $5::bigint))
              AND ($7::text[] IS NULL OR e.type = ANY ($7))
              AND e.type <> 'subscribed'  -- the subscriptions below say it, list by list
            ORDER BY e.at DESC, e.id DESC LIMIT $6
        ) AS e
    )
    UNION ALL
    (   -- Messages of campaigns.
        SELECT d.at, 8, d.send_id, 'message', d.send_id,
               jsonb_strip_nulls(jsonb_build_object('state', d.state, 'detail', d.detail, 'n', d.n,
                                                    'possible_duplicate', nullif(d.possible_duplicate, false)))
        FROM person AS p
        CROSS JOIN LATERAL (
            SELECT coalesce(d.at, s.started_at, s.created_at) AS at, d.send_id, d.n, d.state, d.detail, d.possible_duplicate
            FROM deliveries AS d
            JOIN sends AS s ON s.workspace_id = $1 AND s.id = d.send_id
            WHERE d.workspace_id = $1 AND d.contact_id = p.id
        ) AS d
        WHERE d.at <= $3 AND (d.at < $3 OR (8, d.send_id) < ($4, $5)) AND ($7 IS NULL OR 'message' = ANY ($7))
        ORDER BY d.at DESC, d.send_id DESC LIMIT $6
    )
    UNION ALL
    (   -- Messages to them alone.
        SELECT m.created_at, 7, m.id, 'transactional', NULL::bigint,
               jsonb_strip_nulls(jsonb_build_object('message_id', 'message_' || m.id, 'subject', m.subject, 'kind', m.kind,
                                                    'state', d.state, 'detail', d.detail))
        FROM person AS p
        CROSS JOIN LATERAL (
            SELECT * FROM messages AS m
            WHERE m.workspace_id = $1 AND m.contact_id = p.id AND m.created_at <= $3
              AND (m.created_at < $3 OR (7, m.id) < ($4, $5)) AND ($7 IS NULL OR 'transactional' = ANY ($7))
            ORDER BY m.id DESC LIMIT $6
        ) AS m
        LEFT JOIN deliveries AS d ON d.workspace_id = $1 AND d.send_id = m.send_id AND d.n = m.n
    )
    UNION ALL
    (   -- What they did elsewhere.
        SELECT c.at, 6, c.id, 'custom_event', NULL, jsonb_build_object('name', c.name, 'properties', c.properties)
        FROM person AS p
        CROSS JOIN LATERAL (
            SELECT * FROM custom_events AS c
            WHERE c.workspace_id = $1 AND c.contact_id = p.id AND c.at <= $3 AND (c.at < $3 OR (6, c.id) < ($4, $5))
              AND ($7 IS NULL OR 'custom_event' = ANY ($7))
            ORDER BY c.at DESC, c.id DESC LIMIT $6
        ) AS c
    )
    UNION ALL
    (   -- Lists they came on. Leaving is an event.
        SELECT b.subscribed_at, 5, b.list_id, 'subscribed', NULL,
               jsonb_build_object('list_id', 'list_' || b.list_id, 'list_name', l.name, 'status', b.status)
        FROM subscriptions AS b
        JOIN lists AS l ON l.workspace_id = $1 AND l.id = b.list_id
        WHERE b.workspace_id = $1 AND b.contact_id = $2 AND b.subscribed_at <= $3
          AND (b.subscribed_at < $3 OR (5, b.list_id) < ($4, $5)) AND ($7 IS NULL OR 'subscribed' = ANY ($7))
        ORDER BY b.subscribed_at DESC, b.list_id DESC LIMIT $6
    )
    UNION ALL
    (   -- What they consented to, or not.
        SELECT t.at, t.source, c.id, t.kind, NULL,
               jsonb_strip_nulls(jsonb_build_object(
                   'consent_id', 'consent_' || c.id, 'source', c.source, 'email', c.email, 'wording', c.wording, 'ip', nullif(t.ip, ''),
                   'list_ids', (SELECT jsonb_agg('list_' || l) FROM unnest(c.list_ids) AS l)))
        FROM consents AS c
        CROSS JOIN LATERAL (VALUES (c.at, 2, 'consent_asked', c.ip), (c.confirmed_at, 3, 'consent_given', c.confirm_ip),
                                   (c.declined_at, 4, 'consent_declined', '')) AS t (at, source, kind, ip)
        WHERE c.workspace_id = $1 AND c.contact_id = $2 AND t.at <= $3 AND (t.at < $3 OR (t.source, c.id) < ($4, $5))
          AND ($7 IS NULL OR t.kind = ANY ($7))
        ORDER BY t.at DESC, t.source DESC, c.id DESC LIMIT $6
    )
    UNION ALL
    (   -- What people and programs of the workspace did: created, updated, tagged, merged.
        SELECT a.at, 1, a.id, split_part(a.action, '.', 2), NULL, a.detail || jsonb_build_object('actor', a.actor)
        FROM person AS p
        CROSS JOIN LATERAL (
            SELECT * FROM audit_entries AS a
            WHERE a.workspace_id = $1 AND a.subject = 'contact_' || p.id AND a.at <= $3 AND (a.at < $3 OR (1, a.id) < ($4, $5))
              AND ($7 IS NULL OR split_part(a.action, '.', 2) = ANY ($7))
            ORDER BY a.at DESC, a.id DESC LIMIT $6
        ) AS a
    )
    UNION ALL
    (   -- Whom an import brought, or a form, nobody created by hand.
        SELECT c.created_at, 0, c.id, 'created', NULL, '{}'::jsonb
        FROM contacts AS c
        WHERE c.workspace_id = $1 AND c.id = $2 AND c.created_at <= $3 AND (c.created_at < $3 OR (0, c.id) < ($4, $5))
          AND ($7 IS NULL OR 'created' = ANY ($7))
          AND NOT EXISTS (
              SELECT FROM audit_entries AS a, person AS p
              WHERE a.workspace_id = $1 AND a.subject = 'contact_' || p.id AND a.action = 'contact.created' AND a.at = c.created_at
          )
    )
    UNION ALL
    (   -- What keeps them out and is told nowhere else: an import said so, or it is everybody of their domain.
        SELECT s.created_at, 10, s.id, 'suppressed', NULL,
               jsonb_strip_nulls(jsonb_build_object('reason', s.reason, 'source', nullif(s.source, ''), 'domain', '@' || s.domain))
        FROM contacts AS c
        CROSS JOIN LATERAL (
            SELECT * FROM suppressions WHERE workspace_id = $1 AND address_hash = c.address_hash
            UNION ALL
            SELECT * FROM suppressions WHERE workspace_id = $1 AND domain = split_part(c.email, '@', 2)
        ) AS s
        WHERE c.workspace_id = $1 AND c.id = $2 AND s.created_at <= $3 AND (s.created_at < $3 OR (10, s.id) < ($4, $5))
          AND ($7 IS NULL OR 'suppressed' = ANY ($7))
          AND NOT EXISTS (
              SELECT FROM audit_entries AS a, person AS p
              WHERE a.workspace_id = $1 AND a.subject = 'contact_' || p.id AND a.action = 'contact.suppressed' AND a.at = s.created_at
          )
          AND NOT EXISTS (  -- the address bounces, or its owner left: the event says it
              SELECT FROM events AS e, person AS p
              WHERE e.workspace_id = $1 AND e.contact_id = p.id AND e.type = s.reason::text
                AND e.at BETWEEN s.created_at - interval '7 days' AND s.created_at + interval '1 second'
          )
    )
    ORDER BY at DESC, source DESC, id DESC
    LIMIT $6
)
SELECT g.at, g.source, g.id, g.kind, g.data, k.id AS campaign_id, k.name AS campaign_name,
       CASE WHEN g.kind = 'message' THEN coalesce(nullif(k.subject, ''), f.content ->> 'subject') END AS subject,
       CASE WHEN g.kind = 'clicked' THEN coalesce(g.data ->> 'url', f.links[(g.data ->> 'link')::integer + 1]) END AS url
FROM page AS g
LEFT JOIN sends AS s ON s.workspace_id = $1 AND s.id = g.send_id
LEFT JOIN campaigns AS k ON k.workspace_id = $1 AND k.id = s.campaign_id
LEFT JOIN send_contents AS f ON f.workspace_id = $1 AND f.send_id = g.send_id AND f.variant = 0 AND g.kind IN ('message', 'clicked')
ORDER BY g.at DESC, g.source DESC, g.id DESC
