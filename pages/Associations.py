"""The associations of the city, and the page of each."""

from cityverse.ui import associations, shell

shell.show("nav.associations", associations.draw)
