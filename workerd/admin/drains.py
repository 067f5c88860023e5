"""The orders by which an operator drains a node, or has it take seats again."""

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _lazy

from .orders import Verb

DRAINING: Mapping[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb(
            "drain",
            _lazy("Drain"),
            "",
            _lazy("Gives its seats to other nodes, a few at a time, in its turn; refused where one would stop."),
        ),
        Verb(
            "drain_now",
            _lazy("Drain at once"),
            "",
            _lazy("Does so although another node drains or reloads at this time."),
        ),
        Verb(
            "drain_force",
            _lazy("Drain, whatever stops"),
            "",
            _lazy("Gives its seats away also where no other node may take them."),
        ),
        Verb("drain_undo", _lazy("Take seats again"), "", _lazy("Ends the drain.")),
    )
}
