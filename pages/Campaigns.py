"""Donation campaigns: find one, give, run one."""

from cityverse.ui import campaigns, shell

shell.show("nav.campaigns", campaigns.draw)
