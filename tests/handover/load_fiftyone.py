"""A program for the environment of FiftyOne: load an export with its own importer, and print what it holds.

FiftyOne keeps its data sets in MongoDB, which no package brings. In its place stands mongomock, in memory.
"""

import json
import os
import sys

import mongoengine.connection
import mongomock
import pymongo
from mongomock.store import ServerStore

os.environ |= {
    "FIFTYONE_DATABASE_URI": "mongodb://localhost",
    "FIFTYONE_DATABASE_VALIDATION": "false",
    "FIFTYONE_DISABLE_SERVICES": "1",
    "FIFTYONE_DO_NOT_TRACK": "true",
}
STORE = ServerStore()


class Client(mongomock.MongoClient):
    """A client whose data bases are the same for all that connect."""

    _closed = False
    _timeout = None

    def __init__(self, *args, **options):
        super().__init__("mongodb://localhost", _store=STORE)


pymongo.MongoClient = mongoengine.connection.MongoClient = Client

import fiftyone  # noqa: E402 - it connects when it is imported

dataset = fiftyone.Dataset.from_dir(
    sys.argv[1], dataset_type=fiftyone.types.FiftyOneDataset, name="run", progress=False
)
first = dataset.first()
view = dataset.match_tags("view").first()
print(
    json.dumps(
        {
            "samples": len(dataset),
            "originals": dataset.match_tags("original").count(),
            "fields": list(dataset.get_field_schema()),
            "embedding": first.embedding.tolist(),
            "cosine": [first.cosine, view.cosine],
            "transform": view.transform,
            "file": first.filepath,
        }
    )
)
