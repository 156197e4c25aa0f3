-- Limits by provider, period and mailbox provider; warm-up.
SELECT 1;
