// Water meter, telegrams of 9 bytes on port 12: status, volume in litres (4), flow in litres an hour (2, signed), battery.
function decodeUplink(input) {
  var bytes = input.bytes;
  if (input.fPort !== 12) return { errors: ["port " + input.fPort + " is not a telegram of this meter"] };
  if (bytes.length !== 9) return { errors: [bytes.length + " bytes instead of 9"] };
  var warnings = [];
  if (bytes[0] & 1) warnings.push("battery low");
  if (bytes[0] & 2) warnings.push("reverse flow");
  return {
    data: {
      volume: (bytes[1] * 0x1000000 + (bytes[2] << 16) + (bytes[3] << 8) + bytes[4]) / 1000,
      flow: (((bytes[5] << 8) | bytes[6]) << 16) / 65536 / 1000,
      water: { temperature: ((bytes[7] << 24) >> 24) / 2 },
      battery: bytes[8],
    },
    warnings: warnings,
  };
}
