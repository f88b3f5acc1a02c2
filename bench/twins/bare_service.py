"""The yardstick of a start: the same libraries, one page that says ok: `python -m bench.twins.bare_service PORT`."""

import sys

import apscheduler.schedulers.background
import flask
import flask_caching
import flask_wtf
import pydantic
import sqlalchemy.orm
import waitress

LIBRARIES = (apscheduler.schedulers.background, flask_caching, flask_wtf, pydantic, sqlalchemy.orm)


def main() -> None:
    """Answer at /livez."""
    app = flask.Flask(__name__)
    app.add_url_rule("/livez", "livez", lambda: "ok")
    waitress.serve(app, host="127.0.0.1", port=int(sys.argv[1]), threads=8)


if __name__ == "__main__":
    main()
