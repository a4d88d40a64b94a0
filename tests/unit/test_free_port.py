"""Ports for tests and the demo."""

from pathlib import Path

from citynet import embedded


def test_free_ports_are_out_of_reach_of_outgoing_connections() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = [embedded.free_port() for _ in range(50)]
    assert max(ports) < first
    assert not any(embedded.port_taken("127.0.0.1", port) for port in ports)
