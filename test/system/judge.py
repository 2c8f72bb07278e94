# SPDX-License-Identifier: MIT
"""Judges what link_client printed: which numbers were promised, acknowledged and received."""
import re
import sys


def lines(path):
    with open(path, errors="replace") as file:
        return file.read().splitlines()


def received(path):
    found = (re.match(r"message \S+ qos=\d .*text=(\d+) 0{40}$", line) for line in lines(path))
    return [int(match.group(1)) for match in found if match]


def published(path):
    """Numbers taken, numbers only 'taking' when it was killed, and those acknowledged before the
    first failure."""
    taken, doubtful, acknowledged = set(), set(), set()
    by_id, taking, failed = {}, None, False
    for line in lines(path):
        word = line.split()
        if not word:
            continue
        if word[0] == "taking":
            taking = int(word[1])
        elif word[0] == "taken" and len(word) == 3:
            taken.add(int(word[1]))
            by_id[word[2]] = int(word[1])
            taking = None
        elif word[0] == "published" and not failed and word[1] in by_id:
            acknowledged.add(by_id[word[1]])
        elif word[0] == "failed":
            failed = True
        elif word[0] == "KILLED" and taking is not None:
            doubtful.add(taking)
            taking = None
    return taken, doubtful, acknowledged


def first_times(numbers):
    return list(dict.fromkeys(numbers))


def require(condition, text):
    if not condition:
        print(text)
        sys.exit(1)


def some(numbers):
    return sorted(numbers)[:10]


def restart(qos, publisher, subscriber):
    taken, _, _ = published(publisher)
    got = received(subscriber)
    require(len(taken) > 0 and taken <= set(got), f"lost: {some(taken - set(got))}")
    require(first_times(got) == sorted(taken), "the order changed")
    require(qos == "1" or len(got) == len(set(got)), "some came twice at QoS 2")


def kill(qos, publisher, subscriber):
    taken, _, acknowledged = published(publisher)
    got = set(received(subscriber))
    missing = taken - got
    print(f"QoS {qos}: {len(taken)} messages, {len(acknowledged)} acknowledged before the kill; "
          f"the broker forgot {len(missing & acknowledged)} of them")
    ours = missing - acknowledged
    # At QoS 2 the broker has also taken what it answered with PUBREC: at most a window of 20.
    require(len(ours) <= (20 if qos == "2" else 0), f"missing without acknowledgement: {some(ours)}")


def client(qos, publisher, subscriber):
    taken, doubtful, _ = published(publisher)
    got = received(subscriber)
    require(len(taken) > 0 and taken <= set(got), f"lost: {some(taken - set(got))}")
    require(set(got) <= taken | doubtful, f"never sent: {some(set(got) - taken - doubtful)}")
    require(first_times(got) == sorted(set(got)), "the order changed")
    if qos == "2":
        require(len(got) == len(set(got)), f"{len(got) - len(set(got))} came twice")


def receiver(kills, count, path):
    got = received(path)
    missing = set(range(1, int(count) + 1)) - set(got)
    require(len(got) == len(set(got)), "some came twice")
    # Stored as delivered, and killed before its line was written: one for each kill at most.
    require(len(missing) <= int(kills), f"{len(missing)} missing after {kills} kills")
    require(got == sorted(got), "the order changed")


{"restart": restart, "kill": kill, "client": client, "receiver": receiver}[sys.argv[1]](*sys.argv[2:])
