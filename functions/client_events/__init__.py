"""Tells clients what became of their transactions and of the accounts: a feed to read, and webhooks."""
