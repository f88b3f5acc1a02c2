"""Pages: parse a form, call one domain function, answer with a template or a redirect."""
