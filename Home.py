"""The city today: the map, the filters and the list beside it."""

from cityverse.ui import home, shell

shell.show(shell.HOME_TITLE, home.draw)
