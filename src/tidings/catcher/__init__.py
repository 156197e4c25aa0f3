"""A real SMTP server on loopback that keeps what it is given: for the demo, tests and dry runs."""
