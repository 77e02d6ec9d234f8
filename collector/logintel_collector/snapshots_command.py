"""`logintel collector snapshot` and `restore`: copies of the indices, taken, listed, verified and brought back."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from logintel.refused import Refused
from logintel_collector.config import CollectorConfig, SnapshotsConfig

if TYPE_CHECKING:
    from logintel_collector.stores.elasticsearch_snapshots import Repository, Snapshot


def arguments(snapshot: argparse.ArgumentParser, restore: argparse.ArgumentParser) -> None:
    """Declare the arguments of both."""
    for parser in (snapshot, restore):
        parser.add_argument("--repository", metavar="NAME", help="one known to Elasticsearch, not the configuration's")
    instead = snapshot.add_mutually_exclusive_group()
    instead.add_argument("--list", action="store_true", help="take none; list those that there are")
    instead.add_argument("--verify", metavar="NAME", help="take none; look whether that one is whole and can be read")
    restore.add_argument("name", metavar="NAME", help="the snapshot")
    restore.add_argument("--only", metavar="INDEX,…", help="these of its indices; all without")
    restore.add_argument("--rename", metavar="PREFIX", default="", help="restore each as PREFIX and its name")


async def work(config: CollectorConfig, args: argparse.Namespace) -> AsyncIterator[str]:
    """Do it; what was done, a line for each. Raises Refused."""
    from logintel_collector.stores.elasticsearch import ElasticsearchError, connected  # noqa: PLC0415 - see setting_up
    from logintel_collector.stores.elasticsearch_snapshots import Repository  # noqa: PLC0415 - as above

    if config.stores.elasticsearch is None:
        raise Refused("snapshots need stores.elasticsearch: add it to the configuration")
    snapshots = config.stores.elasticsearch.snapshots or SnapshotsConfig()
    if args.repository:
        snapshots = SnapshotsConfig(repository=args.repository)
    try:
        async with connected(config.stores.elasticsearch) as client:
            repository = Repository(client, snapshots)
            await repository.prepare()
            async for line in _lines(repository, config, args):
                yield line
    except ElasticsearchError as error:
        raise Refused(_explained(str(error), error.kind, snapshots.repository)) from error


async def _lines(repository: Repository, config: CollectorConfig, args: argparse.Namespace) -> AsyncIterator[str]:
    if args.action == "restore":
        kept = timedelta(days=config.stores.retention.days)
        async for line in _restore(repository, args, datetime.now(UTC) - kept):
            yield line
    elif args.list:
        for each in await repository.all():
            yield _told(each)
    elif args.verify:
        async for line in _verify(repository, args.verify):
            yield line
    else:
        name = repository.name_of(datetime.now(UTC), daily=False)
        yield _told(_whole(await repository.take(name)))


async def _verify(repository: Repository, name: str) -> AsyncIterator[str]:
    yield f"{await repository.verify()} nodes can write to the repository"
    found = _whole(await repository.one(name))
    if unreadable := await repository.unreadable(name):
        raise Refused(f"snapshot {name} cannot be restored: {unreadable}: delete it, and take another one")
    yield f"{_told(found)}: the list of files of every shard can be read"


async def _restore(repository: Repository, args: argparse.Namespace, kept_from: datetime) -> AsyncIterator[str]:
    found = _whole(await repository.one(args.name))
    indices = args.only.split(",") if args.only else list(found.indices)
    if absent := sorted(set(indices) - set(found.indices)):
        raise Refused(f"snapshot {args.name} has no {', '.join(absent)}: it has {', '.join(found.indices)}")
    if open_ones := await repository.open_ones([f"{args.rename}{index}" for index in indices]):
        raise Refused(
            f"{', '.join(open_ones)}: there and open, and nothing is overwritten: restore beside it with --rename "
            "restored-, name others with --only, or delete it first"
        )
    async for done in repository.restore(args.name, indices, args.rename):
        yield f"{done} shards restored"
    yield f"restored from {args.name}: {', '.join(f'{args.rename}{index}' for index in indices)}"
    if not args.rename:
        yield f"the keeper deletes what of it has arrived before {kept_from:%Y-%m-%d} (stores.retention.days)"


def _whole(found: Snapshot) -> Snapshot:
    """Raises Refused where it is not."""
    if found.state == "SUCCESS":
        return found
    why = "; ".join(found.failures[:3]) or "it has not ended"
    raise Refused(f"snapshot {found.name} is {found.state}: {why}: look at the health of its indices, take another one")


def _told(found: Snapshot) -> str:
    return f"{found.name}: {found.state}, {len(found.indices)} indices, begun {found.started}"


def _explained(reason: str, kind: str, repository: str) -> str:
    advice = {
        "repository_missing_exception": "name its location or bucket in stores.elasticsearch.snapshots",
        "repository_exception": f"is the location of {repository!r} below a path.repo of every node?",
        "repository_verification_exception": "every node must be able to write there",
        "snapshot_missing_exception": "`logintel collector snapshot --list` shows which there are",
    }
    return f"{reason}: {advice[kind]}" if kind in advice else reason
