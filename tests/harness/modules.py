"""Modules that a test writes for its project to import, broken or not."""

from pathlib import Path

from .project import ROOT, Project


def write_module(project: Project, name: str, code: str) -> Path:
    """Write a module where the project's processes find it; writing it again replaces it."""
    folder = project.folder / "modules"
    folder.mkdir(exist_ok=True)
    project.extra_env["PYTHONPATH"] = f"{ROOT}:{folder}"
    project.extra_env["PYTHONDONTWRITEBYTECODE"] = "1"  # the same second and size would look unchanged
    path = folder / f"{name}.py"
    path.write_text(code)
    return path
