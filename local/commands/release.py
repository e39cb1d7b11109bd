"""Commands about releases."""

from __future__ import annotations

import getpass
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from local.commands.options import AsJson, DataDir, ModelsDir, OnAws, clear_errors
from local.places import MODELS, Places

if TYPE_CHECKING:
    from assay.release.pointer import Move
    from local import registry

app = typer.Typer(help="Releases: models, rules and policy, signed.", no_args_is_help=True)

Registry = Annotated[
    str,
    typer.Option(
        envvar="ASSAY_RELEASES", help="s3://bucket/prefix or a folder, instead of the models folder's releases."
    ),
]
Expected = Annotated[
    str | None, typer.Option("--expected-champion", help="Do nothing unless this version is the champion now.")
]
By = Annotated[str, typer.Option(help="Who says so; the user of this machine, when none is given.")]
Why = Annotated[str, typer.Option(help="The reason, for the history and the audit log.")]


@app.command("list")
def release_list(
    data_dir: DataDir = Path("var"), models: ModelsDir = MODELS, registry: Registry = "", as_json: AsJson = False
) -> None:
    """List releases: version, state, hash, signer, when it was written. Example: assay release list"""
    with clear_errors():
        found, fault = _registry(data_dir, models, registry).releases()
    if as_json:
        typer.echo(json.dumps({"releases": [release.facts() for release in found], "fault": fault or None}))
        return
    for release in found:
        written = f"{release.written:%Y-%m-%d %H:%M}" if release.written else "-"
        facts = release.reason or f"{release.hash[:12]}  signed by {release.signed_by}  written {written}"
        typer.echo(f"{release.version:<16} {release.state:<10} {facts}")
    if fault:
        typer.echo(f"assay: {fault}", err=True)


@app.command("show")
def release_show(
    version: Annotated[str, typer.Argument(help="The champion, when none is given.")] = "",
    data_dir: DataDir = Path("var"),
    models: ModelsDir = MODELS,
    registry: Registry = "",
    as_json: AsJson = False,
) -> None:
    """Show a release, verified, and the moves of the champion. Example: assay release show --json"""
    with clear_errors():
        commands = _registry(data_dir, models, registry)
        release = commands.open(version) if version else commands.champion()
        moves = [] if version else commands.history()
    facts = {"version": release.version, "hash": release.hash, "metrics": release.manifest.metrics}
    if as_json:
        typer.echo(json.dumps(facts | {"history": [_move(move) for move in moves]}))
        return
    typer.echo(f"{release.version}  {release.hash}")
    for name, value in sorted(release.manifest.metrics.items()):
        typer.echo(f"  {name:<48} {value:.4f}")
    for move in moves:
        typer.echo(f"{move.moment:%Y-%m-%d %H:%M:%S}  {_line(move)}")


@app.command("verify")
def release_verify(
    folder: Annotated[Path, typer.Argument(help="The release's folder.")],
    data_dir: DataDir = Path("var"),
    models: ModelsDir = MODELS,
) -> None:
    """Check signature and hashes of a release. Example: assay release verify models/releases/2026.11.1"""
    from assay.release import open_release
    from local.champion import trusted_keys

    with clear_errors():
        release = open_release(folder, trusted_keys(Places(data_dir, models)))
    typer.echo(f"{release.version}  {release.hash}  signature and {len(release.manifest.files)} files are good")


@app.command("key")
def release_key(
    file: Annotated[Path, typer.Argument(help="The private key, PEM. Its public half is put beside it as .pub.")],
) -> None:
    """Make a key that releases are signed with, unless there is one. Example: assay release key trainer.pem

    A release is served where the .pub lies in a trusted folder, on AWS models/keys/ of the images.
    """
    from assay.release.keys import fingerprint, load_or_create_signing_key

    with clear_errors():
        key = load_or_create_signing_key(file)
    typer.echo(f"{file.with_suffix('.pub')}  {fingerprint(key.public_key())}")


@app.command("diff")
def release_diff(
    before: Annotated[str, typer.Argument(help="A version.")],
    after: Annotated[str, typer.Argument(help="Another one.")],
    data_dir: DataDir = Path("var"),
    models: ModelsDir = MODELS,
    registry: Registry = "",
    as_json: AsJson = False,
) -> None:
    """Say what is other in a release than in another. Example: assay release diff 2026.11.1 2026.12.1"""
    from local.release_lines import lines

    with clear_errors():
        found = _registry(data_dir, models, registry).difference(before, after)
    if as_json:
        typer.echo(json.dumps(found))
        return
    for line in lines(found):
        typer.echo(line)


@app.command("promote")
def release_promote(
    version: Annotated[str, typer.Argument(help="The release that decides from now on.")],
    expected: Expected = None,
    by: By = "",
    why: Why = "",
    data_dir: DataDir = Path("var"),
    models: ModelsDir = MODELS,
    registry: Registry = "",
    outbox_table: OnAws = None,
    events_topic: OnAws = None,
    as_json: AsJson = False,
) -> None:
    """Let a release decide; running servers take it over. Example: assay release promote 2026.12.1 --why "drift"

    Of a bucket: --registry s3://bucket/releases --outbox-table NAME --events-topic ARN.
    """
    aws = _on_aws(registry, outbox_table, events_topic)
    with clear_errors():
        commands = _registry(data_dir, models, registry)
        _tell(commands.promote(version, by or _user(), why, expected, aws), as_json)


@app.command("rollback")
def release_rollback(
    expected: Expected = None,
    by: By = "",
    why: Why = "",
    data_dir: DataDir = Path("var"),
    models: ModelsDir = MODELS,
    registry: Registry = "",
    outbox_table: OnAws = None,
    events_topic: OnAws = None,
    as_json: AsJson = False,
) -> None:
    """Let the release decide that did before. Example: assay release rollback --why "too many challenges"

    Of a bucket: as `promote`.
    """
    aws = _on_aws(registry, outbox_table, events_topic)
    with clear_errors():
        _tell(_registry(data_dir, models, registry).roll_back(by or _user(), why, expected, aws), as_json)


def _registry(data_dir: Path, models: Path, location: str) -> registry.RegistryCommands:
    from local.registry import RegistryCommands

    return RegistryCommands(Places(data_dir, models), location)


def _on_aws(location: str, outbox: str | None, topic: str | None) -> registry.OnAws | None:
    from assay.adapters.aws.objects import S3
    from local.registry import OnAws

    if outbox and topic:
        return OnAws(outbox, topic)
    if outbox or topic or location.startswith(S3):
        raise typer.BadParameter("an installation on AWS needs --outbox-table and --events-topic")
    return None


def _user() -> str:
    """The user's name, as far as a history can hold it."""
    try:
        return re.sub(r"[^A-Za-z0-9._:-]", "-", getpass.getuser())[:64] or "unknown"
    except (OSError, KeyError):
        return "unknown"


def _tell(move: Move, as_json: bool) -> None:
    typer.echo(json.dumps(_move(move)) if as_json else _line(move))


def _move(move: Move) -> dict[str, Any]:
    return move.model_dump(mode="json", exclude={"at"}) | {"at": move.moment.isoformat()}


def _line(move: Move) -> str:
    before, after = (named.version if named else "none" for named in (move.before, move.after))
    return f"{move.event}: {before} -> {after}  by {move.by}{f': {move.why}' if move.why else ''}"
