-- The one who stays, with all that was united, once the other is gone. A wish to be left alone counts whoever of the two had
-- it; a bounce counts if the address that bounced is the one that is kept; so does a suppression of that address.
-- $1 workspace, $2 contact, $3 email, $4 its hash, $5… first name, last name, phone, language, time zone, $10 tags,
-- $11 attributes, $12 and $13 the statuses of the two, $14 the status of whose address is kept, $15 created, $16 now
WITH standing AS (
    SELECT greatest(
        CASE WHEN $12::contact_status >= 'unsubscribed' THEN $12::contact_status ELSE 'active' END,
        CASE WHEN $13::contact_status >= 'unsubscribed' THEN $13::contact_status ELSE 'active' END,
        $14::contact_status,
        (SELECT CASE WHEN s.reason = 'manual' THEN 'unsubscribed' ELSE s.reason::text END::contact_status
         FROM suppressions AS s WHERE s.workspace_id = $1 AND s.address_hash = $4)
    ) AS status
),
off AS (
    UPDATE subscriptions AS b SET status = 'unsubscribed', unsubscribed_at = coalesce(b.unsubscribed_at, $16)
    FROM standing AS s
    WHERE b.workspace_id = $1 AND b.contact_id = $2 AND b.status <> 'unsubscribed'
      AND (s.status >= 'unsubscribed' OR EXISTS (
          SELECT FROM list_suppressions AS l
          WHERE l.workspace_id = $1 AND l.list_id = b.list_id AND l.address_hash = $4
      ))
)
UPDATE contacts AS c
SET email = $3, address_hash = $4, first_name = $5, last_name = $6, phone = $7, language = $8, time_zone = $9, tags = $10,
    attributes = $11, status = s.status, created_at = $15, updated_at = $16
FROM standing AS s
WHERE c.workspace_id = $1 AND c.id = $2
