"""Why something is not printed: one sentence for the clerk, which never repeats what was given."""


class CannotPrint(Exception):
    """What was asked for cannot be put on paper as it should be."""


class CannotWrite(Exception):
    """The finished paper cannot be put where it was asked for."""
