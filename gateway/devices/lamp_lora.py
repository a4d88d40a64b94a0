"""Street lamp controller (class C): level, power and energy on port 20, orders of two bytes on port 21."""

from citynet.errors import BadInput
from gateway.devices import CODECS, Args, Codec, Layout, Order, Vector

FRAME = Layout(20, ">BHI", {"level": 1.0, "power": 0.1, "energy": 0.001})
ORDER_PORT = 21
SET_LEVEL = 1


def encode(action: str, args: Args) -> tuple[int, bytes]:
    """Port and bytes of dim(level), on and off."""
    levels = {"on": 100.0, "off": 0.0, "dim": args.get("level")}
    if action not in levels:
        raise BadInput("unknown_action", action)
    level = levels[action]
    if isinstance(level, bool) or not isinstance(level, (int, float)) or not 0 <= level <= 100:
        raise BadInput("bad_argument", f"level {level!r} is not 0 to 100 %")
    return ORDER_PORT, bytes([SET_LEVEL, round(level)])


def read(data: bytes, f_port: int) -> tuple[str, Args]:
    """What the lamp is told to do, in its own words: every order sets the level."""
    if f_port != ORDER_PORT or len(data) != 2 or data[0] != SET_LEVEL or data[1] > 100:
        raise BadInput("wrong_order", f"port {f_port}, {data.hex()}")
    return "dim", {"level": float(data[1])}


CODECS.register("lamp-lora")(
    Codec(
        decode=FRAME.decode,
        pack=FRAME.pack,
        encode=encode,
        read=read,
        vectors=(
            Vector("dimmed", 20, bytes.fromhex("3c02bc0001e240"), {"level": 60.0, "power": 70.0, "energy": 123.456}),
            Vector("off", 20, bytes.fromhex("00000000000001"), {"level": 0.0, "power": 0.0, "energy": 0.001}),
        ),
        orders=(
            Order("dim", {"level": 40.0}, 21, bytes.fromhex("0128")),
            Order("on", {}, 21, bytes.fromhex("0164")),
            Order("off", {}, 21, bytes.fromhex("0100")),
        ),
    )
)
