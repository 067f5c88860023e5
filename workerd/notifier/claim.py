"""The answers of the fleet's table: what it says of an alert that one node is to send for all."""

from enum import StrEnum


class Claim(StrEnum):
    """The first five are kept in the journal; the others are answers that end the matter there."""

    NONE = ""
    """No alert of the fleet's, or nothing is to be asked any more."""
    WANTED = "wanted"
    """To be claimed, or another node has claimed it and has not sent it yet."""
    MINE = "mine"
    THEIRS = "theirs"
    """Another node has sent it."""
    OVER = "over"
    """The matter is over, and its row is to be deleted: whoever does that sends the resolution."""
    GONE = "gone"
    """Another node has deleted the row."""
    ENDED = "ended"
    """This node has deleted it, and the alert had been sent."""
    ENDED_UNSENT = "ended_unsent"
    """This node has deleted it, and no node had sent the alert."""
