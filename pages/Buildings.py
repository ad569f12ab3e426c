"""Which buildings the map shows, and fetching the real ones, for managers."""

from cityverse.ui import buildings, shell

shell.show("nav.buildings", buildings.draw)
