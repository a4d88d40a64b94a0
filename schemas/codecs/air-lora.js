// Air station: blocks of type (1) and value (2, big-endian) in any order on port 7; particle counts come as a list.
var TYPES = {
  1: { name: "temperature", scale: 0.1, signed: true },
  2: { name: "humidity", scale: 0.5 },
  3: { name: "pm25", scale: 0.1 },
  4: { name: "pm10", scale: 0.1 },
};

function decodeUplink(input) {
  var data = { air: {}, counts: [], measured: input.recvTime ? new Date(input.recvTime).toISOString() : undefined };
  var buffer = Buffer.from(input.bytes);
  for (var at = 0; at + 3 <= buffer.length; at += 3) {
    var type = TYPES[buffer[at]];
    if (buffer[at] === 9) data.counts.push(buffer.readUInt16BE(at + 1));
    else if (!type) return { errors: ["block " + buffer[at] + " is not known"] };
    else {
      var raw = type.signed ? buffer.readInt16BE(at + 1) : buffer.readUInt16BE(at + 1);
      data.air[type.name] = Math.round(raw * type.scale * 10) / 10;
    }
  }
  return { data: data };
}

function normalizeUplink(input) {
  var air = input.data.air;
  return { data: { air: { temperature: air.temperature, relativeHumidity: air.humidity } } };
}
