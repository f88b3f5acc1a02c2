"""The page part of a mail, made from its text: the same words, escaped, with its links as links."""

import re
from collections.abc import Iterable

from service.language.formats import language_tag, text_direction
from service.language.rendering import plain_environment


def of(subject: str, body: str, links: Iterable[str]) -> str:
    """The text as a page. Only the message's own links lead anywhere, whatever a name may look like."""
    ours = re.compile("|".join(rf"{re.escape(link)}(?:[?&]time=[\dT:-]+)?" for link in links if link))
    paragraphs = [[_pieces(line, ours) for line in part.splitlines()] for part in body.strip().split("\n\n")]
    template = plain_environment().get_template("messages/html_part.html")
    return template.render(subject=subject, paragraphs=paragraphs, tag=language_tag(), direction=text_direction())


def _pieces(line: str, ours: re.Pattern[str]) -> list[tuple[str, str]]:
    """A line as (words, address) pairs; a line that ends with `: link` is itself the link."""
    found = list(ours.finditer(line)) if ours.pattern else []
    words, colon, rest = line.rpartition(": ")
    if colon and len(found) == 1 and found[0][0] == rest:
        return [(words.strip(), rest)]
    pieces, end = [], 0
    for link in found:
        pieces += [(line[end : link.start()], ""), (link[0], link[0])]
        end = link.end()
    return [*pieces, (line[end:], "")]
