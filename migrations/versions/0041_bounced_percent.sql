-- Amazon SES stops an account at 10 %: a campaign that goes on until it has passed that has gone on for too long.
-- Workspaces that exist keep what they have: 10 may be what somebody chose.
ALTER TABLE workspaces ALTER COLUMN pause_bounced_percent SET DEFAULT 8;
