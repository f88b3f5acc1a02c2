"""Request handling: access control, context, cookies, tokens, headers, cache, and metrics."""
