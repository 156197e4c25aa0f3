-- A workspace as a large shop has it: contacts with attributes, three lists, twenty campaigns to everybody over a year, and
-- engagement that falls off. What the product keeps in step with events one batch at a time is made here in one go.
-- {workspace}, {contacts}, {events} are numbers.
SET LOCAL session_replication_role = replica;
SET LOCAL synchronous_commit = off;
SET LOCAL work_mem = '256MB';
SET LOCAL maintenance_work_mem = '512MB';

INSERT INTO contacts (workspace_id, id, email, address_hash, first_name, last_name, language, time_zone, tags, attributes, status, created_at, updated_at)
SELECT {workspace}, i, 'reader' || i || '@' || (ARRAY['example.com', 'example.org', 'mail.test'])[i % 3 + 1], decode(md5(i::text), 'hex'),
       (ARRAY['Ann', 'Bob', 'Chloé', 'Dmitri', 'Eve'])[i % 5 + 1], 'Last' || i, (ARRAY['en', 'de', 'fr'])[i % 3 + 1], 'Europe/Berlin',
       CASE WHEN i % 10 = 0 THEN ARRAY['vip'] WHEN i % 10 = 1 THEN ARRAY['new', 'trial'] ELSE '{}' END,
       jsonb_build_object('plan', (ARRAY['free', 'pro', 'gold'])[i % 3 + 1], 'points', i % 1000, 'opted', i % 2 = 0,
           'born', to_char(date '1950-01-01' + ((i * 7919) % 20000)::integer, 'YYYY-MM-DD'), 'city', (ARRAY['Berlin', 'Paris', 'Lagos', 'Osaka'])[i % 4 + 1]),
       (CASE WHEN i % 50 = 0 THEN 'unsubscribed' WHEN i % 51 = 0 THEN 'bounced' ELSE 'active' END)::contact_status,
       now() - make_interval(secs => (i * 7919) % 63072000), now()
FROM generate_series(1::bigint, {contacts}) AS i;

INSERT INTO lists (workspace_id, id, name, created_at, updated_at)
SELECT {workspace}, i, 'List ' || i, now(), now() FROM generate_series(1, 3) AS i;
INSERT INTO subscriptions (workspace_id, list_id, contact_id, status, subscribed_at)
SELECT {workspace}, l, i, (CASE WHEN i % 20 = 0 THEN 'unsubscribed' ELSE 'subscribed' END)::subscription_status,
       now() - make_interval(secs => (i * 104729) % 31536000)
FROM (VALUES (1), (2), (3)) AS v (l), generate_series(1::bigint, {contacts}) AS i WHERE i % (l * l) = 0;

INSERT INTO sends (workspace_id, id, campaign_id, provider_id, status, list_ids, recipients, created_at, started_at, finished_at, gathered_n, gathered_at)
SELECT {workspace}, s, s, 1, 'done', '{1}', {contacts} / 2, at, at, at, {contacts} / 2, CASE WHEN s < 20 THEN now() END
FROM (SELECT s, now() - make_interval(days => 365 - s * 18) AS at FROM generate_series(1, 20) AS s) AS t;
UPDATE sends SET gathered_n = 0 WHERE workspace_id = {workspace} AND id = 20;
INSERT INTO campaigns (workspace_id, id, name, subject, template_id, sender_email, sender_name, list_ids, status, send_id, created_at, updated_at)
SELECT {workspace}, id, 'Campaign ' || id, '', 1, 'a@example.com', 'A', '{1}', 'sent', id, created_at, created_at FROM sends WHERE workspace_id = {workspace};
INSERT INTO send_contents (workspace_id, send_id, template_id, template_version, content, links)
SELECT {workspace}, id, 1, 1, '{}', ARRAY['https://shop.example.com/sale', 'https://shop.example.com/' || id, 'https://shop.example.com/help']
FROM sends WHERE workspace_id = {workspace};

-- Every other contact gets each campaign, the halves in turn; the last two campaigns' deliveries are there one by one.
INSERT INTO deliveries (workspace_id, send_id, contact_id, at, n, state, attempts)
SELECT {workspace}, s, n::bigint * 2 - s % 2, now() - make_interval(days => 365 - s * 18), n,
       (CASE WHEN n % 40 = 0 THEN 'bounced' ELSE 'delivered' END)::delivery_state, 1
FROM generate_series(19, 20) AS s, generate_series(1, {contacts} / 2) AS n;
INSERT INTO contact_receipts
SELECT {workspace}, i, array_agg((extract(epoch FROM now() - make_interval(days => 365 - s * 18)) - 946684800)::integer ORDER BY s)
FROM generate_series(1::bigint, {contacts}) AS i, generate_series(1, 19) AS s WHERE (i + s) % 2 = 0 GROUP BY i;

-- Three opens to one click; a third by machines; some people do much, most do little.
DROP INDEX events_by_send, events_by_contact, events_clicks;
INSERT INTO events (workspace_id, at, type, send_id, n, contact_id, agent, data, link)
SELECT {workspace}, at, type, send_id, contact_id / 2, contact_id, agent,
       CASE type WHEN 'clicked' THEN jsonb_build_object('link', k % 3, 'ua', 'Mozilla/5.0') ELSE '{"ua": "Mozilla/5.0"}' END,
       CASE type WHEN 'clicked' THEN k % 3 END
FROM (SELECT k, now() - make_interval(secs => 365 * 86400.0 * (1 - k::float8 / {events})) AS at,
             1 + floor(power(random(), 2) * ({contacts} - 1))::bigint AS contact_id,
             (CASE WHEN k % 4 = 0 THEN 'clicked' ELSE 'opened' END) AS type,
             (ARRAY['human', 'human', 'machine'])[k % 3 + 1] AS agent, least(20, 1 + (k * 20) / {events}) AS send_id
      FROM generate_series(1::bigint, {events}) AS k) AS t;
INSERT INTO events (workspace_id, at, type, send_id, n, contact_id)
SELECT {workspace}, now() - make_interval(days => (i % 365)::integer), (ARRAY['bounced', 'complained', 'unsubscribed'])[i % 3 + 1], 20, i / 2, i
FROM generate_series(1::bigint, {contacts}, 50) AS i;
CREATE INDEX events_by_send ON events (workspace_id, send_id, n) WHERE send_id IS NOT NULL;
CREATE INDEX events_by_contact ON events (workspace_id, contact_id, at) WHERE contact_id IS NOT NULL;
CREATE INDEX events_clicks ON events (workspace_id, link, send_id, at) INCLUDE (contact_id, agent) WHERE type = 'clicked';

INSERT INTO contact_activity
SELECT workspace_id, contact_id,
       array_agg(s ORDER BY s) FILTER (WHERE type = 'opened'), array_agg(s ORDER BY s) FILTER (WHERE type = 'opened' AND agent = 'human'),
       array_agg(s ORDER BY s) FILTER (WHERE type = 'clicked'), array_agg(s ORDER BY s) FILTER (WHERE type = 'clicked' AND agent = 'human'),
       array_agg(s ORDER BY s) FILTER (WHERE type = 'bounced'), array_agg(s ORDER BY s) FILTER (WHERE type = 'complained'),
       array_agg(s ORDER BY s) FILTER (WHERE type = 'unsubscribed')
FROM (SELECT *, (floor(extract(epoch FROM at)) - 946684800)::integer AS s FROM events WHERE workspace_id = {workspace}) AS e
GROUP BY workspace_id, contact_id;
INSERT INTO engagements (workspace_id, send_id, n, contact_id, opens, human_opens, clicks, human_clicks)
SELECT workspace_id, send_id, row_number() OVER (PARTITION BY send_id ORDER BY contact_id), contact_id,
       count(*) FILTER (WHERE type = 'opened'), count(*) FILTER (WHERE type = 'opened' AND agent = 'human'),
       count(*) FILTER (WHERE type = 'clicked'), count(*) FILTER (WHERE type = 'clicked' AND agent = 'human')
FROM events WHERE workspace_id = {workspace} AND type IN ('opened', 'clicked') GROUP BY workspace_id, send_id, contact_id;

INSERT INTO custom_events (workspace_id, contact_id, name, at, properties)
SELECT {workspace}, 1 + (k * 7919) % {contacts}, (ARRAY['bought', 'viewed', 'viewed', 'viewed'])[k % 4 + 1],
       now() - make_interval(secs => (k * 104729) % 31536000), jsonb_build_object('price', k % 200, 'sku', 'sku' || k % 50)
FROM generate_series(1::bigint, {contacts} * 2) AS k;
