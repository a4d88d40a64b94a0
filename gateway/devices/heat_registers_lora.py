"""Heat meter that sends its four cumulative registers once an hour on port 30."""

from gateway.devices import CODECS, Codec, Layout, Vector

FRAME = Layout(30, ">QQQQ", {"energy": 0.001, "volume": 0.001, "inlet_energy": 0.001, "return_energy": 0.001})

CODECS.register("heat-registers-lora")(
    Codec(
        decode=FRAME.decode,
        pack=FRAME.pack,
        vectors=(
            Vector(
                "four registers",
                30,
                bytes.fromhex("0000000001e3150e000000000000c35000000000002dc6c0000000000000004d"),
                {"energy": 31_659.278, "volume": 50.0, "inlet_energy": 3_000.0, "return_energy": 0.077},
            ),
            Vector(
                "a new meter",
                30,
                bytes(32),
                {"energy": 0.0, "volume": 0.0, "inlet_energy": 0.0, "return_energy": 0.0},
            ),
        ),
    )
)
