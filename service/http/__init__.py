"""What a request carries: access rules, context, cookies, tokens, headers, cache and metrics."""
