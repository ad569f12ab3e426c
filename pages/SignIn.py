"""Signing in and up, and where links from e-mails lead."""

from cityverse.ui import shell, sign_in

shell.show("nav.sign_in", sign_in.draw)
