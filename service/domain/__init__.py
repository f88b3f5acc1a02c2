"""The business rules; no Flask, HTML, or queue here."""
