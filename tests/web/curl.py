"""As much of curl as docs/api.md uses, for machines without it."""

import argparse
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

parser = argparse.ArgumentParser()
parser.add_argument("url")
parser.add_argument("-s", "--silent", action="store_true")
parser.add_argument("-X", "--request")
parser.add_argument("-H", "--header", action="append", default=[])
parser.add_argument("-d", "--data")
parser.add_argument("--data-binary")
parser.add_argument("-w", "--write-out", default="")


def main() -> None:
    asked = parser.parse_args()
    data = asked.data if asked.data_binary is None else Path(asked.data_binary.removeprefix("@")).read_text("utf-8")
    method = asked.request or ("GET" if data is None else "POST")
    headers = dict(header.split(": ", 1) for header in asked.header)
    body = None if data is None else data.encode()
    try:
        answer = urlopen(Request(asked.url, body, headers, method=method))
    except HTTPError as refused:
        answer = refused
    with answer:
        sys.stdout.buffer.write(answer.read())
    sys.stdout.write(asked.write_out.replace("%{http_code}", str(answer.status)))


if __name__ == "__main__":
    main()
