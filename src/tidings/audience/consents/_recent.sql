-- How often an address was asked in the last day and when at last, and how many signed up in the last hour from a network and
-- through a form. Counting the form's stops at $6.
-- $1 workspace, $2 address, $3 network, $4 form (or null), $5 now, $6 most
SELECT (SELECT count(*) FROM consents
        WHERE workspace_id = $1 AND email = $2 AND at > $5::timestamptz - interval '1 day' AND source <> 'preferences') AS address,
       (SELECT max(at) FROM consents WHERE workspace_id = $1 AND email = $2 AND source <> 'preferences') AS last_at,
       (SELECT count(*) FROM consents
        WHERE workspace_id = $1 AND source = 'form' AND network = $3 AND $3 <> ''
          AND at > $5::timestamptz - interval '1 hour') AS network,
       (SELECT count(*)
        FROM (SELECT FROM consents
              WHERE workspace_id = $1 AND form_id = $4 AND at > $5::timestamptz - interval '1 hour'
              LIMIT $6) AS counted) AS form
