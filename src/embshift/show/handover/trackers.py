"""Hooks for experiment trackers: a run's scalars and identity into a session that the caller has opened.

None of them opens a session, so that where numbers go is the caller's decision alone.
"""

import importlib
from collections.abc import Callable
from typing import Any

from embshift.core.errors import MissingExtraError, UsageError
from embshift.runs.tables import RunTables
from embshift.show.handover.scalars import collect_scalars, identify_run

__all__ = ["log_to_mlflow", "log_to_trackio", "log_to_wandb"]

_AT_ONCE = 500  # MLflow takes up to 1,000 metrics in one request


def log_to_wandb(
    run: RunTables, session: Any = None, *, prefix: str = "", step: int | None = None
) -> dict[str, float]:
    """Log a run's scalars to Weights & Biases, and what identifies it to the configuration.

    Args:
        run: The run.
        session: What ``wandb.init()`` returned; the active one if None.
        prefix: Text before every name, to tell several runs in one session apart, e.g. "before/".
        step: Step of the session; the next one if None.

    Returns:
        The scalars, by the names that they are logged under.

    Raises:
        MissingExtraError: If wandb is not installed.
        UsageError: If no session is given, and none is active.
    """
    module = _load(lambda: importlib.import_module("wandb"), "wandb")
    session = _check_session(module.run if session is None else session, "wandb.init(project=…)")
    scalars = _name_scalars(run, prefix)
    session.config.update(_name_identity(run, prefix), allow_val_change=True)
    session.log(scalars, step=step)
    return scalars


def log_to_mlflow(
    run: RunTables, session: Any = None, *, prefix: str = "", step: int | None = None
) -> dict[str, float]:
    """Log a run's scalars to MLflow as metrics, and what identifies it as parameters.

    Args:
        run: The run.
        session: What ``mlflow.start_run()`` returned; the active one if None.
        prefix: Text before every name, to tell several runs in one session apart, e.g. "before/".
        step: Step of the metrics; 0 if None.

    Returns:
        The scalars, by the names that they are logged under.

    Raises:
        MissingExtraError: If mlflow is not installed.
        UsageError: If no session is given, and none is active.
    """
    module = _load(lambda: importlib.import_module("mlflow"), "mlflow")
    session = _check_session(module.active_run() if session is None else session, "mlflow.start_run()")
    run_id = session.info.run_id
    scalars, client = _name_scalars(run, prefix), module.MlflowClient()
    for name, value in _name_identity(run, prefix).items():
        client.log_param(run_id, name, value)
    named = list(scalars.items())
    for start in range(0, len(named), _AT_ONCE):
        module.log_metrics(dict(named[start : start + _AT_ONCE]), step=step, run_id=run_id)
    return scalars


def log_to_trackio(
    run: RunTables, session: Any = None, *, prefix: str = "", step: int | None = None
) -> dict[str, float]:
    """Log a run's scalars to Trackio, and what identifies it to the configuration.

    Trackio stores the configuration with the first values of a session: call this before others are logged.

    Args:
        run: The run.
        session: What ``trackio.init()`` returned; the active one if None.
        prefix: Text before every name, to tell several runs in one session apart, e.g. "before/".
        step: Step of the session; the next one if None.

    Returns:
        The scalars, by the names that they are logged under.

    Raises:
        MissingExtraError: If trackio is not installed.
        UsageError: If no session is given, and none is active.
    """
    module = _load(lambda: importlib.import_module("trackio"), "trackio")
    active = module.context_vars.current_run.get() if session is None else session
    session = _check_session(active, "trackio.init(project=…)")
    scalars = _name_scalars(run, prefix)
    session.config.update(_name_identity(run, prefix))
    session.log(scalars, step=step)
    return scalars


def _load(load: Callable[[], Any], name: str) -> Any:
    try:
        return load()
    except ImportError:
        raise MissingExtraError(name, None) from None


def _check_session(session: Any, how: str) -> Any:
    if session is None:
        raise UsageError(f"no session is active; call {how} first, or give its result")
    return session


def _name_scalars(run: RunTables, prefix: str) -> dict[str, float]:
    return {f"{prefix}{name}": value for name, value in collect_scalars(run).items()}


def _name_identity(run: RunTables, prefix: str) -> dict[str, str]:
    return {f"{prefix}{name}": value for name, value in identify_run(run).items()}
