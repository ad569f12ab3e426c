"""Who publishes this, on which terms, and how accessible it is."""

from cityverse.ui import legal, shell

shell.show("nav.legal", legal.draw_notice)
