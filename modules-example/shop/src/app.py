"""The shop: a list of things and what they cost."""

import configparser
import pathlib

HERE = pathlib.Path(__file__).parent


def settings():
    parser = configparser.ConfigParser()
    parser.read(HERE / "settings.ini")
    return parser["shop"]


if __name__ == "__main__":
    print(f"{settings()['title']} ({settings()['environment']})")
