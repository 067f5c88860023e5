"""What is masked of a row's arguments and environment, and what is left out where they are written down."""

from workerd.command_secrets import MASK
from workerd.secret_arguments import masked, without_secrets

SECRET = "hunter2"
URL = f"postgres://shop:{SECRET}@db/shop"
ARGUMENTS = {
    "days": 1,
    "api_token": SECRET,
    "token": {"$env": "TOKEN"},
    "database": URL,
    "brokers": ["amqp://mq", f"amqp://:{SECRET}@mq"],
    "deep": [{"password": SECRET, "url": URL}],
    "address": "https://shop@example.org:443/a:b@c",
}


def test_a_secret_is_masked_by_its_name_or_as_a_url_with_a_password() -> None:
    assert masked(ARGUMENTS) == {
        "days": 1,
        "api_token": MASK,
        "token": {"$env": "TOKEN"},
        "database": MASK,
        "brokers": ["amqp://mq", MASK],
        "deep": [{"password": MASK, "url": MASK}],
        "address": ARGUMENTS["address"],
    }


def test_what_is_left_out_is_named_and_shown_nowhere() -> None:
    kept, left_out = without_secrets(ARGUMENTS, "kwargs")
    assert kept == {
        "days": 1,
        "token": {"$env": "TOKEN"},
        "brokers": ["amqp://mq"],
        "deep": [{}],
        "address": ARGUMENTS["address"],
    }
    assert sorted(left_out) == [
        "kwargs.api_token",
        "kwargs.brokers[1]",
        "kwargs.database",
        "kwargs.deep[0].password",
        "kwargs.deep[0].url",
    ]
    assert SECRET not in " ".join(left_out)
