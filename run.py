"""python run.py [serve | demo | migrate | add-user | run-job | export | check]: the commands live in service/cli.py."""

from service.cli import main

if __name__ == "__main__":
    main()
