"""How a message leaves the house: one class a channel, one method, one error that says whether to try again."""
