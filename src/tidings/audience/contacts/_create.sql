-- A new contact, whose status is what a suppression of the address says. Returns no row if the address is taken.
-- $1 workspace, $2 email, $3 address hash, $4… first name, last name, phone, language, time zone, $9 tags,
-- $10 attributes, $11 now
INSERT INTO contacts (workspace_id, email, address_hash, first_name, last_name, phone, language, time_zone, tags, attributes,
                      status, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
        coalesce((SELECT CASE WHEN s.reason = 'manual' THEN 'unsubscribed' ELSE s.reason::text END::contact_status
                  FROM suppressions AS s WHERE s.workspace_id = $1 AND s.address_hash = $3), 'active'),
        $11, $11)
ON CONFLICT (workspace_id, email) DO NOTHING
RETURNING id
