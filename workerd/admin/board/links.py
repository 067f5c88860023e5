"""The links of the board: to the pages of the admin that the user may open, if the project serves one (``Links``)."""

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from workerd.models import Job, Node

VIEW_NODE = "workerd.view_node"


@dataclass(frozen=True, slots=True)
class Links:
    """The text before the key in the addresses of a job's page and of a node's; "" where there is none."""

    jobs: str = ""
    nodes: str = ""

    @classmethod
    def of(cls, request: HttpRequest) -> "Links":
        """Return the links for the user, into the admin that the request is for, or else the project's."""
        nodes = _find(request, "workerd_node_change", "change/") if request.user.has_perm(VIEW_NODE) else ""
        return cls(_find(request, "workerd_job_page", "page/"), nodes)

    def job(self, job: Job) -> str:
        """Return the address of a job's page: reverse() for each of hundreds would take longer than all else."""
        return f"{self.jobs}{job.pk}/page/" if self.jobs else ""

    def node(self, node: Node) -> str:
        return f"{self.nodes}{node.pk}/change/" if self.nodes else ""


def _find(request: HttpRequest, name: str, end: str) -> str:
    try:
        address = reverse(f"admin:{name}", args=[0], current_app=getattr(request, "current_app", None))
    except NoReverseMatch:
        return ""
    return address.removesuffix(f"0/{end}")
