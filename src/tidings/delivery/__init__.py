"""How does a message get there, and what became of it? Sends, chunks, the pipeline, providers, outcomes.

Owns: providers, budgets, sends, send_contents, deliveries, retries, chunks, send_counters.
"""
