"""What became of a change whose commit was not answered: the page that a reload asks again."""

from typing import assert_never

from flask import Blueprint, current_app, request
from flask.typing import ResponseReturnValue

from service.domain.foundation.errors import NotFound
from service.http import assets, context, lost_answers
from service.language.translation import gettext as _
from service.storage.database import Fate

blueprint = Blueprint("lost_answers", __name__)
RETRY_AFTER = 5


@blueprint.get("/lost-answers/<change>")
def show(change: str) -> ResponseReturnValue:
    """Whether it was saved. Needs no session: that is in the database, which may be away still."""
    transaction = lost_answers.transaction_of(change)
    if transaction is None:
        raise NotFound
    fate = context.wiring().database.fate(transaction)
    title, sentence, what_next = _words(fate)
    # Rendered without what other pages share, which comes from the database.
    page = current_app.jinja_env.get_template("clinic/lost_answer.html").render(
        title=title,
        sentence=sentence,
        what_next=what_next,
        look_again=request.path if fate is Fate.UNKNOWN else None,
        clinic=context.wiring().settings.clinic,
        demo=False,
        static=assets.static_url,
        icon=assets.icon,
    )
    if fate is Fate.UNKNOWN:
        return page, 503, {"Retry-After": str(RETRY_AFTER)}
    return page, 200


def _words(fate: Fate) -> tuple[str, str, str]:
    """Title, sentence and what to do next."""
    match fate:
        case Fate.KEPT:
            return (
                _("Your change was saved"),
                _("Only the confirmation was lost."),
                _("Don't send it again."),
            )
        case Fate.NOT_KEPT:
            return (
                _("Your change was not saved"),
                _("The connection to the database was lost before your change could be saved. Nothing was changed."),
                _("Go back and send it again."),
            )
        case Fate.UNKNOWN:
            return (
                _("Your change may have been saved"),
                _("The connection to the database was lost just as your change was being saved."),
                _("Don't send it again yet. Reload this page in a few seconds to see whether it was saved."),
            )
        case Fate.FORGOTTEN:
            return (
                _("Your change may have been saved"),
                _("This was too long ago. The database no longer knows whether it was saved."),
                _("Check whether your change is there before you send it again."),
            )
        case _:
            assert_never(fate)
