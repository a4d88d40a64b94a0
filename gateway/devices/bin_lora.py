"""Ultrasonic sensor of a waste bin: fill, temperature, tilt and battery in five bytes on port 10."""

from gateway.devices import CODECS, Codec, Layout, Vector

FRAME = Layout(10, ">BhBB", {"fill": 0.5, "temperature": 0.1, "tilt": 1.0, "battery": 1.0})

CODECS.register("bin-lora")(
    Codec(
        decode=FRAME.decode,
        pack=FRAME.pack,
        vectors=(
            Vector(
                "half full",
                10,
                bytes.fromhex("6500d90362"),
                {"fill": 50.5, "temperature": 21.7, "tilt": 3.0, "battery": 98.0},
            ),
            Vector(
                "frost, knocked over",
                10,
                bytes.fromhex("00ff385a21"),
                {"fill": 0.0, "temperature": -20.0, "tilt": 90.0, "battery": 33.0},
            ),
            Vector(
                "on fire",
                10,
                bytes.fromhex("c80abe0061"),
                {"fill": 100.0, "temperature": 275.0, "tilt": 0.0, "battery": 97.0},
            ),
        ),
    )
)
