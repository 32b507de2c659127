"""What a self-check raises when it recognizes what went wrong."""


class Mistake(AssertionError):
    """One sentence that names the likely mistake in a student's function."""
