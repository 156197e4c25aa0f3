-- Bounces and complaints that arrive as mail.

-- Where reports come back to, without the token: b@bounces.example.com; '': to the From address, as before.
ALTER TABLE sending_domains ADD COLUMN return_path text NOT NULL DEFAULT '';
CREATE INDEX sending_domains_return_path ON sending_domains (split_part(return_path, '@', 2)) WHERE return_path <> '';
