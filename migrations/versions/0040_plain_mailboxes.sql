-- As SMTP providers have it: the password goes unencrypted to another machine only on request.
ALTER TABLE bounce_mailboxes ADD COLUMN allow_plaintext_auth boolean NOT NULL DEFAULT false;
