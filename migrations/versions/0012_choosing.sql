-- Routes: choosing among several providers.
SELECT 1;
