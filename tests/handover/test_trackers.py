"""What the trackers stored offline, read back by their own readers, is what the run's scalars are."""

import json
import struct

import mlflow
import pytest
import trackio
import wandb
from trackio.sqlite_storage import SQLiteStorage
from wandb.proto import wandb_internal_pb2

import embshift


def read_records(path):
    """Read the records of an offline run's file: a log of LevelDB's form, after seven bytes of its own."""
    data, at, whole = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        left = 32768 - at % 32768
        if left < 7:  # no header fits into the rest of a block
            at += left
            continue
        size, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        whole += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or the last part
            record = wandb_internal_pb2.Record()
            record.ParseFromString(whole)
            whole = b""
            yield record


def name_of(item):
    return item.key or "/".join(item.nested_key)


def test_wandb_holds_the_numbers_and_the_identity(run, tmp_path):
    with wandb.init(project="handover", dir=tmp_path, mode="offline") as session:
        logged = embshift.log_to_wandb(run)
    records = list(read_records(next(tmp_path.glob("wandb/offline-run-*/run-*.wandb"))))
    history = {name_of(item): json.loads(item.value_json) for each in records for item in each.history.item}
    config = {
        name_of(item): json.loads(item.value_json)
        for each in records
        for item in (*each.config.update, *each.run.config.update)
    }
    assert session.offline
    assert logged == run.scalars()
    assert {name: history[name] for name in logged} == pytest.approx(logged)
    assert config["embshift/encoder"] == "synthetic"


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_mlflow_reads_the_numbers_back(run, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "store").as_uri())
    with mlflow.start_run() as session:
        logged = embshift.log_to_mlflow(run)
        embshift.log_to_mlflow(run, session, prefix="again/", step=3)
    data = mlflow.MlflowClient().get_run(session.info.run_id).data
    again = {f"again/{name}": value for name, value in logged.items()}
    assert data.metrics == pytest.approx(logged | again)
    assert data.params["embshift/fingerprint"] == data.params["again/embshift/fingerprint"] == "synthetic"


def test_trackio_stores_the_numbers(run, tmp_path, monkeypatch):
    monkeypatch.setattr("trackio.sqlite_storage.TRACKIO_DIR", tmp_path)
    trackio.init(project="handover", name="one", embed=False)
    logged = embshift.log_to_trackio(run)
    trackio.finish()
    (stored,) = SQLiteStorage.get_logs("handover", "one")
    assert SQLiteStorage.get_run_config("handover", "one")["embshift/encoder"] == "synthetic"
    assert {name: stored[name] for name in logged} == pytest.approx(logged)


def test_without_a_session_nothing_is_opened(run):
    for log in (embshift.log_to_wandb, embshift.log_to_mlflow, embshift.log_to_trackio):
        with pytest.raises(embshift.ShiftError, match="no session is active; call "):
            log(run)
