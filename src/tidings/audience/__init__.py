"""Who may be mailed? Contacts, lists, subscriptions, suppressions, imports.

Owns: contacts, lists, subscriptions, suppressions, imports, import_batches.
"""
