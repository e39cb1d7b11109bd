"""Signed messages to other people's servers, per Standard Webhooks (https://www.standardwebhooks.com)."""
