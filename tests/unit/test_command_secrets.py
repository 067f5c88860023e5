"""The secrets in a command's line: found by the names of its options, however a shell would have them quoted."""

from typing import Any

import pytest

from workerd.command_secrets import masked_command, without_secrets

SECRET = "sk-live-0123"
MASKED = {
    f"send --api-token {SECRET} --fast": "send --api-token ******** --fast",
    f"send --api_token={SECRET}": "send --api_token=********",
    f"send --PASSWORD='{SECRET} \"x\"' mail": "send --PASSWORD=******** mail",
    f'send --password "a \\" {SECRET}" mail': "send --password ******** mail",
    f'send --password=a"b {SECRET}"c mail': "send --password=******** mail",
    f"send --password a\\ {SECRET} mail": "send --password ******** mail",
    f'send --password "{SECRET}': "send --password ********",
    f"send -token {SECRET} --key {SECRET}": "send -token ******** --key ********",
    f"send --url postgres://shop:{SECRET}@db/shop --fast": "send --url postgres://shop:********@db/shop --fast",
    f"send 'amqp://:{SECRET}@mq:5672//' redis://:{SECRET}@r": "send 'amqp://:********@mq:5672//' redis://:********@r",
    f"send --url=https://a:x@{SECRET}@host/a@b": "send --url=https://a:********@host/a@b",
    f"send --broker-key amqp://a:{SECRET}@mq --fast": "send --broker-key ******** --fast",
    "send http://host:80/a@b https://mail@host/x": "send http://host:80/a@b https://mail@host/x",
    "send --dry-run --queue mail --limit=5 key": "send --dry-run --queue mail --limit=5 key",
    "send --password": "send --password",
    "": "",
}


@pytest.fixture(autouse=True)
def patterns(settings: Any) -> None:
    settings.WORKERD = {}


@pytest.mark.parametrize(("line", "shown"), MASKED.items())
def test_the_value_of_a_secret_option_is_masked(line: str, shown: str) -> None:
    assert masked_command(line) == shown
    assert masked_command(shown) == shown


@pytest.mark.parametrize("line", [line for line in MASKED if SECRET in line])
def test_a_sentence_about_the_line_loses_it_too(line: str) -> None:
    assert SECRET not in without_secrets(f"unrecognized arguments: {line}", line)
