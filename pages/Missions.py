"""Volunteering missions: find one, take part, run one."""

from cityverse.ui import missions, shell

shell.show("nav.missions", missions.draw)
