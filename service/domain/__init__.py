"""The rules of the clinic; knows no Flask, no HTML, no queue."""
