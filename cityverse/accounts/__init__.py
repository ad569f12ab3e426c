"""Accounts: sign-up, sign-in, sessions and the links for one use that e-mails carry."""
