"""Studies of a run folder, as the command line and the run object start them."""

from pathlib import Path

from embshift.core.errors import RunError
from embshift.core.progress import Reporter, Silent
from embshift.measurement.session.trust import Trust
from embshift.measurement.studies.explain import TextRequest, explain_run
from embshift.measurement.studies.explain.texts import store_texts as write_texts
from embshift.runs.explained import ExplainedTables
from embshift.runs.lock import lock_folder
from embshift.runs.studies import study
from embshift.runs.tables import RunTables

__all__ = ["explain", "store_texts"]


@study("explain")
def explain(
    run: RunTables,
    /,
    *,
    images: int | None = None,
    patch: str | None = None,
    patch_images: int | None = None,
    seed: int | None = None,
    words: str | Path | None = None,
    labels: str | Path | None = None,
    captions: str | Path | None = None,
    prompts: tuple[str, ...] = (),
    vectors: str | Path | None = None,
    allow_code: bool = False,
    allow_remote: bool = False,
    allow_private: bool = False,
    reporter: Reporter | None = None,
) -> ExplainedTables:
    """Explain a run; see `explain_run`, and `TextRequest` for the texts.

    Args:
        run: The run.
        images: Size of the seeded sample of images; its default where None, as for the next three.
        patch: Most expensive kind of patch.
        patch_images: Number of the sample's images that are patched.
        seed: Seed of the sample.
        words: A list of words.
        labels: A file of labels, or "folders".
        captions: A file of captions.
        prompts: Texts with ``{}`` that words and labels are put into.
        vectors: A Parquet file with the vectors of all texts.
        allow_code: Whether code that the run's record names may run.
        allow_remote: Whether images that it names on other machines are read.
        allow_private: Whether also at web addresses in private networks and on this machine.
        reporter: Who is told about the progress.
    """
    texts = TextRequest(words=words, labels=labels, captions=captions, prompts=prompts, vectors=vectors)
    return explain_run(
        run,
        images=images,
        patch=patch,
        patch_images=patch_images,
        seed=seed,
        texts=texts,
        trust=Trust(code=allow_code, remote=allow_remote, private=allow_private),
        reporter=reporter,
    )


@study("texts")
def store_texts(
    run: RunTables,
    /,
    *,
    words: str | Path | None = None,
    labels: str | Path | None = None,
    captions: str | Path | None = None,
    prompts: tuple[str, ...] = (),
    vectors: str | Path | None = None,
    reporter: Reporter | None = None,
) -> None:
    """Encode texts and store them with a finished run, whose network is not run; see `TextRequest`.

    Args:
        run: The run, explained or not.
        words: A list of words.
        labels: A file of labels, or "folders".
        captions: A file of captions.
        prompts: Texts with ``{}`` that words and labels are put into.
        vectors: A Parquet file with the vectors of all texts.
        reporter: Who is told what is left out.

    Raises:
        EncoderError: If the encoder cannot read texts, and no vectors are given.
        PlanError: If a file cannot be used.
        RunError: If the run is not finished, or keeps no embeddings.
    """
    if not run.finished:
        raise RunError(f"{run.folder} is not finished; finish the run, then explain it")
    run.check_embeddings()
    texts = TextRequest(words=words, labels=labels, captions=captions, prompts=prompts, vectors=vectors)
    with lock_folder(run.folder):
        write_texts(run, texts, reporter=reporter or Silent())
