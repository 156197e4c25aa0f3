-- Nothing: checks before a send turned out to need no table. Databases are stamped with this number, so it stays.
SELECT 1;
