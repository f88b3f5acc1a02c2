"""`make texts`: collect the texts, bring the .po files up to date, and say what is left to translate.

`make texts AREA=diary` also starts the files of an area that has none yet. `python -m texts --check` is part of
`make lint`: it changes nothing and exits 1 when something is wrong.
"""

import sys

from texts import checks, po_files, prose
from texts.extraction import areas


def main(arguments: list[str]) -> int:
    """Do what the arguments ask for and return the exit code."""
    if arguments == ["--check"]:
        problems = checks.problems() + prose.problems()
        sys.stdout.writelines(f"{problem}\n" for problem in problems)
        return 1 if problems else 0
    unknown = sorted(set(arguments) - set(areas()))
    if unknown:
        sys.stdout.write(f"There is no area {unknown[0]}. Areas: {', '.join(areas())}.\n")
        return 2
    done = set(arguments) | {area for language in po_files.languages() for area in po_files.translated_areas(language)}
    for language in po_files.languages():
        for area in sorted(done):
            missing = po_files.update(language, area)
            for text in missing:
                sys.stdout.write(f"{language} {area}: not translated: {text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
