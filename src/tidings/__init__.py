"""Self-hosted email campaigns that lose nobody, mail nobody twice, and never mail anyone who left."""
