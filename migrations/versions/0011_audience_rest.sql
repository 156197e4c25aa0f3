-- What the audience slice gained after its first form: erasure, idempotent imports, domain-wide suppression.
SELECT 1;
