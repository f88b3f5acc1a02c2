"""Message states for the front desk; the texts are only on the pages."""

from flask import Blueprint

from service.api import contract, cursors
from service.api.contract import Answer
from service.api.messages.bodies import Message, MessageQuery, Messages
from service.domain.messages import message_log
from service.http import bearers, context

blueprint = Blueprint("messages", __name__, url_prefix="/messages")


@blueprint.get("")
@contract.reads(Messages, query=MessageQuery, problems=(404,))
def index(query: MessageQuery) -> Answer:
    """List messages, newest first."""
    before = cursors.id_of(query.after)
    page = message_log.page(
        context.reading(),
        bearers.actor(),
        state=query.state,
        text=query.q.strip(),
        order=context.formats().order,
        before=before,
    )
    items = [Message.model_validate(entry.message) for entry in page.entries]
    return Answer(Messages(items=items, next=cursors.of(page.older)))


@blueprint.get("/<row_id:message_id>")
@contract.reads(Message)
def show(message_id: int) -> Answer:
    """Show how one message went."""
    entry = message_log.fetch(context.reading(), bearers.actor(), message_id)
    return Answer(Message.model_validate(entry.message))
