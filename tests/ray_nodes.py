"""A Ray cluster of several nodes on this machine's loopback interface, in a process of its own.

`python -m tests.ray_nodes NODES` prints the cluster's address, removes its last node for every line that it
reads, and ends with its input.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENT = {
    # Named after other systems, it has Ray take 127.0.0.1 for a node's address here as well.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "HF_HUB_OFFLINE": "1",
}


@dataclass
class Nodes:
    address: str
    process: subprocess.Popen

    def remove(self) -> None:
        """Remove the last node, and wait until it is gone."""
        self.process.stdin.write("remove\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "removed\n"


@contextmanager
def start_nodes(count: int, **environment: str) -> Iterator[Nodes]:
    """A cluster of so many nodes, each with one CPU."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.ray_nodes", str(count)],
        cwd=Path(__file__).parents[1],
        env={**os.environ, **ENVIRONMENT, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        line = next((line for line in process.stdout if line.startswith("{")), "")
        assert line, "the cluster did not start"
        yield Nodes(json.loads(line)["address"], process)
    finally:
        process.stdin.close()
        process.wait(timeout=60)
        process.stdout.close()


def main(count: int) -> None:
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 100 * 2**20, "node_ip_address": "127.0.0.1"}
    cluster = Cluster(initialize_head=True, head_node_args=node | {"include_dashboard": False})
    nodes = [cluster.add_node(**node, wait=False) for _ in range(count - 1)]
    cluster.wait_for_nodes()
    print(json.dumps({"address": cluster.address}), flush=True)
    for _ in sys.stdin:
        cluster.remove_node(nodes.pop(), allow_graceful=False)
        print("removed", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]))
