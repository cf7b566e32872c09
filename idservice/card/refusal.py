"""Why something is not printed: one sentence for the clerk, which never repeats what was given."""


class CannotPrint(Exception):
    """What was asked for cannot be put on paper as it should be."""


class Unreadable(CannotPrint):
    """A file that was given is not what it should be: nothing of it could be judged."""


class CannotWrite(Exception):
    """The finished paper cannot be put where it was asked for."""
