"""The available languages: English, the folders of `service/locales`, and the files of a clinic's own folder."""

from pathlib import Path

LOCALES = Path(__file__).resolve().parents[1] / "locales"
SOURCE = "en"
"""The language the program is written in."""
PSEUDO = ("ar_XB", "en_XA")
"""Pseudo-languages for tests: config.toml may name them, but they're not offered to users."""


def shipped() -> tuple[str, ...]:
    """Return the languages that come with the program, English first."""
    return (SOURCE, *sorted(folder.name for folder in LOCALES.iterdir() if any(folder.glob("*.po"))))


def own_files(folder: Path | None) -> dict[str, Path]:
    """Return the clinic's own `LANG.po` files, by language."""
    return {} if folder is None else {file.stem: file for file in sorted(folder.glob("*.po"))}
