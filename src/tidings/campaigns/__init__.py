"""What is sent to whom, and when? Campaigns, their schedule and life cycle.

Owns: campaigns.
"""
