"""Moderation: the queue for managers, reasons and appeals, the public log."""

from cityverse.ui import moderating, shell

shell.show("nav.moderation", moderating.draw)
