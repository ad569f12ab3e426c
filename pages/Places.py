"""Places of articles that readers find wrong, for managers."""

from cityverse.ui import correcting, shell

shell.show("nav.places", correcting.draw)
