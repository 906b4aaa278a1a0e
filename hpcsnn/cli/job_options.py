"""The options that every launching command has, and what they come to."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from hpcsnn.configuration.schema import Configuration
from hpcsnn.configuration.times import parse_time_ms
from hpcsnn.devices import CHOICES


@dataclass(frozen=True)
class Asked:
    """How to launch, as the flags say; each field is an option of every command that launches."""

    cluster: Annotated[
        str | None,
        typer.Option(metavar="slurm|local|debug", help="A Slurm cluster, this machine, or this very process."),
    ] = "slurm"
    nodes: Annotated[int, typer.Option(min=1, help="Nodes.")] = 1
    ranks: Annotated[
        int | None, typer.Option(min=1, help="MPI ranks in all. Default: one a GPU, else by the network's size.")
    ] = None
    gpus_per_node: Annotated[
        int | None, typer.Option(min=0, help="GPUs of each node. Default: the profile's, else none.")
    ] = None
    time: Annotated[
        str, typer.Option(metavar="TIME", help="Limit of one start, such as 2h; the run is requeued until it is done.")
    ] = "1h"
    grace: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="How long before the limit to stop at a checkpoint. Default: by size."),
    ] = None
    partition: Annotated[str | None, typer.Option(help="Slurm partition. Default: the profile's.")] = None
    account: Annotated[str | None, typer.Option(help="Slurm account. Default: the profile's.")] = None
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Of ~/.config/hpcsnn/clusters.yaml, or one that ships, such as workstation. "
            "Default: the file's default, if it has one.",
        ),
    ] = None
    max_restarts: Annotated[int, typer.Option(min=0, help="How often to go on after a crash.")] = 3
    device: Annotated[str, typer.Option(metavar="|".join(CHOICES), help="As for hpcsnn run.")] = "auto"


def launches(command: Callable[..., None], **defaults: Any) -> Callable[..., None]:
    """Give a command the options of `Asked`, in place of its argument ``asked``; `defaults` go before `Asked`'s own."""
    kinds = get_type_hints(Asked, include_extras=True)
    for kind in kinds.values():
        kind.__metadata__[0].rich_help_panel = "The job"
    own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "asked"]
    options = [
        inspect.Parameter(
            option.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=defaults.get(option.name, option.default),
            annotation=kinds[option.name],
        )
        for option in fields(Asked)
    ]

    def with_options(**given: Any) -> None:
        asked = Asked(**{option.name: given.pop(option.name) for option in options})
        command(**given, asked=asked)

    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    with_options.__name__, with_options.__doc__ = command.__name__, command.__doc__
    with_options.__signature__ = inspect.Signature([*own, *options])  # type: ignore[attr-defined]
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *options)}
    return with_options


def launch_setting(configuration: Configuration, asked: Asked) -> tuple[Any, Any, Any]:
    """Cluster, profile and request that flags and profile come to."""
    from hpcsnn.jobs.executors import check_cluster
    from hpcsnn.planning.request import make_request
    from hpcsnn.planning.site_profiles import load_profile

    profile = load_profile(asked.profile)
    given = {"partition": asked.partition, "account": asked.account}
    profile = profile.model_copy(update={key: value for key, value in given.items() if value is not None})
    request = make_request(
        configuration,
        profile,
        nodes=asked.nodes,
        ranks=asked.ranks,
        gpus_per_node=asked.gpus_per_node,
        time_min=parse_time_ms("--time", asked.time) / 60e3,
        grace_s=None if asked.grace is None else int(parse_time_ms("--grace", asked.grace) / 1e3),
    )
    return check_cluster(asked.cluster), profile, request


def plan_of(asked: Asked, cluster: Any, profile: Any, request: Any, logs: Path) -> Any:
    """The plan of a job that was asked for with these flags."""
    from hpcsnn.jobs.executors import make_plan

    return make_plan(cluster, request, profile, logs, device=asked.device, max_restarts=asked.max_restarts)
