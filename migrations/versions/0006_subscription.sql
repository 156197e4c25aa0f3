-- Signing up: forms, double opt-in, consents.
SELECT 1;
