"""The labels of a job as its row and its spec have them, in one text: "team=billing, tier=1"."""

from collections.abc import Mapping


def labels_of(text: str) -> dict[str, str]:
    """Return the labels by name; the rules for rows have found the text sound."""
    pairs = (pair.partition("=") for pair in text.split(",") if pair.strip())
    return {name.strip(): value.strip() for name, _sign, value in pairs}


def labels_text(labels: Mapping[str, str]) -> str:
    """Return the text of which ``labels_of`` makes the same labels."""
    return ", ".join(f"{name}={value}" for name, value in labels.items())
