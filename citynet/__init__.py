"""The kernel of citynet: the words and the floor that all rooms share. Imports none of the other rooms."""

__version__ = "0.1.0"
