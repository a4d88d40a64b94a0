"""The configuration of a node of a cluster is one that the server takes, and only nodes meet."""

import subprocess
from pathlib import Path

from citynet import embedded
from citynet.broker_config import broker_config
from citynet.settings import Settings
from citynet.streams import stream_configs


def test_the_server_takes_the_configuration_of_a_node(tmp_path: Path) -> None:
    cluster = embedded.NatsCluster(Settings(home=tmp_path))
    texts = []
    for node in cluster.nodes:
        path = tmp_path / f"{node.settings.nats_node}.conf"
        texts.append(broker_config(node.settings, store=tmp_path / node.settings.nats_node))
        path.write_text(texts[-1])
        done = subprocess.run([str(embedded.nats_server()), "-t", "-c", str(path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert all(f"node:{cluster.settings.secret('nats_cluster')}@" in text for text in texts)
    assert len(cluster.settings.nats_url.split(",")) == 3
    assert {config.num_replicas for config in stream_configs(cluster.settings)} == {3}
    assert "cluster {" not in broker_config(Settings(home=tmp_path), store=tmp_path)
