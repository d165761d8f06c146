"""Makes what lies in weights/: from photos to tiles, from tiles to weights, to figures."""


class TrainingError(Exception):
    """The work cannot go on; the message is one sentence that says why and what to do."""
