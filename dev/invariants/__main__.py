"""`python -m dev.invariants [--timeout SECONDS] [--answers FILE]`: exit code 0 when every promise holds, 1 when not."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pymysql
import redis
from kafka.errors import KafkaError

from dev.errors import StackError
from dev.invariants import check
from dev.invariants.answers import Answers, read
from dev.invariants.result import table


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m dev.invariants", description="Check the shop's promises.")
    parser.add_argument("--timeout", type=float, default=180, help="seconds to wait for what is under way")
    parser.add_argument("--answers", type=Path, help="file of 'placed|accepted|refused ORDER_ID' lines")
    arguments = parser.parse_args()
    try:
        answers = read(arguments.answers.read_text().splitlines()) if arguments.answers else Answers()
        results = check(answers=answers, timeout=arguments.timeout, report=lambda step: print(step, file=sys.stderr))
    except (StackError, KafkaError, OSError, ValueError, pymysql.Error, redis.RedisError) as error:
        sys.exit(f"the stores cannot be read: {error!r}")
    print(table(results))
    sys.exit(not all(result.holds for result in results))


if __name__ == "__main__":
    main()
