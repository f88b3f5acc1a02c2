"""python run.py [serve | demo | migrate | add-user | run-job | export | check]: see service/cli.py."""

from service.cli import main

if __name__ == "__main__":
    main()
