"""The faults of the order in which the jobs of the declared set start; no definition shows them by itself."""

from collections.abc import Iterator, Mapping

from workerd.job_rules.start_order import Place, find_order_faults

from .definition import Definition, DefinitionFault
from .table import said_of


def places_of(definitions: Mapping[str, Definition]) -> dict[str, Place]:
    return {
        name: Place.of(definition.values.get("schedule"), definition.values.get("starts_after"))
        for name, definition in definitions.items()
    }


def find_faults_between(definitions: Mapping[str, Definition]) -> Iterator[DefinitionFault]:
    """Yield a fault for each job whose order of start cannot be kept; names of rows are not known here."""
    places = places_of(definitions)
    for name, definition in definitions.items():
        for sentence in find_order_faults(name, places):
            yield DefinitionFault(definition.place, said_of(name, sentence))
