"""What happens in the city: find an event, come to it, publish one."""

from cityverse.ui import events, shell

shell.show("nav.events", events.draw)
