-- Bounces and complaints that arrive as mail.
SELECT 1;
