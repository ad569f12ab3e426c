"""The city today: the map, the filters and the list beside it."""

from cityverse.ui import home, shell

with shell.page(shell.HOME_TITLE) as page:
    home.draw(page)
