"""What most daemons of the tests load: the tests' settings without the admin, which no job needs, for a quick load."""

from tests.process.settings import *  # noqa: F403

INSTALLED_APPS = ["workerd", "shop", "tests.process.bad_jobs"]
MIDDLEWARE = []
ROOT_URLCONF = __name__  # "check" reads it, and the demo's asks for the admin
urlpatterns: list[object] = []
