"""Who comes to the admin: a role is a set of permissions, and the tests say of each what it may do."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

MODELS = ("job", "run", "slot", "node", "operation")
VIEW = tuple(f"view_{model}" for model in MODELS)
EDIT = ("add_job", "change_job", "delete_job")

ROLES: dict[str, tuple[str, ...]] = {
    "staff": (),
    "viewer": VIEW,
    "operator": (*VIEW, "operate_job"),
    "reader": (*VIEW, "view_output"),
    "editor": (*VIEW, *EDIT),
}
"""Beside these there are ``anonymous``, ``customer`` (may log in, not into the admin) and ``superuser``."""

EVERYBODY = ("anonymous", "customer", *ROLES, "superuser")


def client_of(role: str) -> Client:
    """Return a browser in which somebody of that role is logged in."""
    client = Client()
    users = get_user_model().objects
    if role == "superuser":
        client.force_login(users.create_superuser(role))
    elif role != "anonymous":
        user = users.create_user(role, is_staff=role != "customer")
        granted = Permission.objects.filter(content_type__app_label="workerd", codename__in=ROLES.get(role, ()))
        user.user_permissions.set(granted)
        client.force_login(user)
    return client
