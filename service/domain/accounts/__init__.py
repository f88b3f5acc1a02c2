"""Users of every role: signing in, passwords, second factors, guardians, and tokens for other programs.

Doors: `users` and `registration` create accounts, `sessions` and `sign_in_links` sign people in, `own_account`,
`passwords`, `password_reset` and `second_factors` change how, `accounts` and `guardians` are the administrator's
and the desk's, `api_tokens` serves other programs, `unsent_forms` keeps forms posted after a session ended.
`user_tokens` issues the links behind invitations and resets.
"""
