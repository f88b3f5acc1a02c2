"""`run.py check`: each part is well, or it is said what to do; a test message really leaves."""

import socket
from contextlib import closing
from pathlib import Path

from tests.process.launching import configure, run
from tests.services.mail_server import MailServer, running
from tests.services.redis import Redis


def lines(folder: Path, *args: str) -> tuple[int, list[str]]:
    """The exit code and what was said of each part."""
    done = run(folder, "check", *args)
    assert len(done.stderr.splitlines()) == (0 if done.returncode == 0 else 1), done.stderr
    return done.returncode, done.stdout.splitlines()


def test_a_new_clinic_is_well_and_nothing_is_made_but_the_key(tmp_path: Path) -> None:
    configure(tmp_path)
    code, said = lines(tmp_path)
    assert code == 0
    assert [line.split(":")[0] for line in said] == [
        "ok settings",
        "ok database",
        "ok folders",
        "ok clock",
        "ok mail",
        "ok sms",
    ]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.toml", "secret.key"]


def test_a_test_message_arrives(tmp_path: Path) -> None:
    server = MailServer()
    with running(server):
        configure(tmp_path, server.toml())
        code, said = lines(tmp_path, "--send-to", "lena@mail.example")
    assert code == 0, said
    assert said[-1] == "ok test message to lena@mail.example: taken by email: 250 OK queued as 1"
    assert server.told == {"lena@mail.example": 1}


DEMO = ("demo", "--doctors", "1", "--patients", "3", "--appointments", "3")


def test_it_says_that_the_mail_of_a_demo_clinic_stays_here_with_e_mail_on_and_off(tmp_path: Path) -> None:
    configure(tmp_path)
    assert run(tmp_path, *DEMO).returncode == 0
    code, said = lines(tmp_path)
    assert code == 0
    assert "ok mail: off; a demo clinic's mail stays here" in said
    server = MailServer()
    with running(server):
        configure(tmp_path, server.toml())
        code, said = lines(tmp_path)
    assert code == 0
    (mail,) = [line for line in said if line.startswith("ok mail")]
    assert mail.endswith("answers, none; a demo clinic's mail stays here, except to addresses at demo.example")
    assert server.mails == []


def test_what_is_wrong_is_said_and_the_exit_code_tells(tmp_path: Path) -> None:
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        configure(tmp_path, MailServer(port=unused.getsockname()[1]).toml())
        code, said = lines(tmp_path, "--send-to", "+4915735985555")
    assert code == 1
    wrong = [line for line in said if not line.startswith("ok ")]
    assert wrong == [
        "mail: the mail server does not answer: are [email] host and port right?",
        "test message to +4915735985555: SMS is off: set [sms] in config.toml, or name an e-mail address",
    ]


def test_redis_is_tried_where_the_settings_name_one(tmp_path: Path, redis: Redis) -> None:
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        away = f"redis://:secret@127.0.0.1:{unused.getsockname()[1]}/0"
        broker = f'[jobs]\nbackend = "celery"\nbroker_url = "{away}"'
        configure(tmp_path, f'[cache]\ntype = "RedisCache"\nredis_url = "{redis.empty()}"\n{broker}')
        code, said = lines(tmp_path)
    assert (code, said[-2:]) == (
        1,
        ["ok cache: Redis answers", "broker: Redis does not answer: check that it runs, its address and its password"],
    )
