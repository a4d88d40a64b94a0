"""A headless screen: follows the push channel of the web part and notes when values arrive."""

from simulators.proof.latency import Arrivals


async def follow(url: str, key: str, arrivals: Arrivals) -> None:
    """Until cancelled. Raises Unavailable when the web part refuses the connection."""
    import websockets

    address = url.replace("http", "ws", 1) + "/live"
    async with websockets.connect(address, additional_headers={"authorization": f"Bearer {key}"}) as socket:
        async for message in socket:
            if isinstance(message, bytes):
                arrivals.take(message)
