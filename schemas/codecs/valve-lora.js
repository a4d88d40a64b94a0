// Valve drive: its position on port 15, orders of three bytes (0x56, position, check sum) on port 16.
const ORDER = 0x56;

function decodeUplink({ fPort, bytes }) {
  if (fPort !== 15 || bytes.length < 2) return { errors: ["not a telegram of a valve"] };
  return { data: { position: bytes[0], moving: (bytes[1] & 1) === 1 } };
}

function encodeDownlink({ data }) {
  const position = { open: 100, close: 0, set: data.position }[data.command];
  if (!(position >= 0 && position <= 100)) return { errors: [`no order ${data.command} ${data.position}`] };
  const whole = Math.round(position);
  return { fPort: 16, bytes: [ORDER, whole, (ORDER + whole) & 255] };
}

function decodeDownlink({ fPort, bytes }) {
  if (fPort !== 16 || bytes[0] !== ORDER || bytes[2] !== ((ORDER + bytes[1]) & 255)) return { errors: ["not an order"] };
  return { data: { position: bytes[1] } };
}
