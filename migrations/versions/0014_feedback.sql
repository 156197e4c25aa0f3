-- What providers report back after an acceptance.
SELECT 1;
