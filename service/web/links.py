"""Tokens in the addresses of pages: what each is for, with guessing slowed down."""

from service.domain.foundation.errors import NotFound
from service.domain.messages import message_links
from service.http import context
from service.storage.models import LinkPurpose, MessageLink


def found(token: str, purpose: LinkPurpose) -> MessageLink:
    """What a link in a message is for. Raises NotFound, Gone, and Throttled for someone who seems to guess."""
    try:
        return message_links.find(context.reading(), token, purpose)
    except NotFound:
        with context.transaction_if_possible("link.guess") as session:
            message_links.guessed(session, context.address())
        raise
