ALTER TABLE bounce_mailboxes
    ADD COLUMN auth text NOT NULL DEFAULT 'password' CHECK (auth IN ('password', 'xoauth2')),
    ADD COLUMN failed integer NOT NULL DEFAULT 0;  -- times in a row that it could not be read
